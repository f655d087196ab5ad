/* A search field above a long box of checkboxes. Ticked ones stay in sight, whatever is searched for. */
const WORTH_SEARCHING = 8;

class MassmailChoices extends window.StimulusModule.Controller {
  static targets = ["search", "box", "empty"];

  connect() {
    this.searchTarget.hidden = this.choices.length <= WORTH_SEARCHING;
  }

  get choices() {
    return Array.from(this.boxTarget.querySelectorAll("label"));
  }

  search() {
    const wanted = this.searchTarget.value.trim().toLowerCase();
    let found = 0;
    this.choices.forEach((choice) => {
      const matches = choice.textContent.toLowerCase().includes(wanted);
      const isTicked = choice.querySelector("input").checked;
      choice.parentElement.hidden = !matches && !isTicked;
      if (matches) found += 1;
    });
    this.emptyTarget.hidden = found > 0;
  }
}

window.wagtail.app.register("massmail-choices", MassmailChoices);
