/* A search field above a long box of checkboxes. Ticked ones stay in sight, whatever is searched for. With a URL the
   server is asked, a moment after the last letter, for what is not in the box; the last question wins. */
const WORTH_SEARCHING = 8;
const MOMENT = 300;

class MassmailChoices extends window.StimulusModule.Controller {
  static targets = ["search", "box", "empty", "lost"];

  static values = { url: String, name: String };

  connect() {
    this.searchTarget.hidden = this.choices.length <= WORTH_SEARCHING;
  }

  disconnect() {
    window.clearTimeout(this.timer);
    this.question?.abort();
  }

  get choices() {
    return Array.from(this.boxTarget.querySelectorAll("label"));
  }

  search() {
    const asks = this.hasUrlValue && this.searchTarget.value.trim() !== "";
    const found = this.show();
    // Nobody knows yet.
    this.emptyTarget.hidden = found > 0 || asks;
    window.clearTimeout(this.timer);
    this.question?.abort();
    if (asks) this.timer = window.setTimeout(() => this.ask(), MOMENT);
  }

  /* Shows what matches, and returns how many do. Words may stand in any order, as the server takes them. */
  show() {
    const words = this.searchTarget.value.toLowerCase().split(/\s+/);
    let found = 0;
    this.choices.forEach((choice) => {
      const text = choice.textContent.toLowerCase();
      const matches = words.every((word) => text.includes(word));
      const isTicked = choice.querySelector("input").checked;
      choice.parentElement.hidden = !matches && !isTicked;
      if (matches) found += 1;
    });
    return found;
  }

  async ask() {
    const question = new AbortController();
    this.question = question;
    this.boxTarget.setAttribute("aria-busy", "true");
    this.lostTarget.hidden = true;
    try {
      const answer = await this.fetchAnswer(question.signal);
      if (question.signal.aborted) return;
      this.add(answer);
      this.emptyTarget.hidden = this.show() > 0;
    } catch {
      if (question.signal.aborted) return;
      this.lostTarget.hidden = false;
    }
    this.boxTarget.removeAttribute("aria-busy");
  }

  async fetchAnswer(signal) {
    const url = `${this.urlValue}?${new URLSearchParams({ q: this.searchTarget.value })}`;
    const response = await fetch(url, { headers: { "X-Requested-With": "XMLHttpRequest" }, signal });
    // A lost session is answered with the login page.
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    return response.text();
  }

  /* Puts what is not there yet at the end of the box. */
  add(answer) {
    const list = this.choices[0].parentElement.parentElement;
    const known = new Set(this.choices.map((choice) => choice.querySelector("input").value));
    const fragment = document.createElement("template");
    fragment.innerHTML = answer;
    fragment.content.querySelectorAll("input").forEach((input) => {
      if (known.has(input.value)) return;
      input.name = this.nameValue;
      list.append(input.closest("div"));
    });
  }
}

window.wagtail.app.register("massmail-choices", MassmailChoices);
