/* Asks how many people fit what the form says, a moment after the last change. The last question wins. */
const MOMENT = 400;

class MassmailCount extends window.StimulusModule.Controller {
  static targets = ["answer"];

  static values = { url: String, lost: String };

  disconnect() {
    window.clearTimeout(this.timer);
    this.question?.abort();
  }

  later() {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.ask(), MOMENT);
  }

  async ask() {
    this.question?.abort();
    const question = new AbortController();
    this.question = question;
    this.answerTarget.setAttribute("aria-busy", "true");
    try {
      const answer = await this.fetchAnswer(question.signal);
      if (!question.signal.aborted) this.answerTarget.innerHTML = answer;
    } catch {
      if (question.signal.aborted) return;
      this.answerTarget.textContent = this.lostValue;
    }
    if (question === this.question) this.answerTarget.removeAttribute("aria-busy");
  }

  async fetchAnswer(signal) {
    const body = new FormData(this.element.closest("form"));
    const headers = { "X-Requested-With": "XMLHttpRequest" };
    const response = await fetch(this.urlValue, { method: "POST", body, headers, signal });
    // A lost session is answered with the login page.
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    return response.text();
  }
}

window.wagtail.app.register("massmail-count", MassmailCount);
