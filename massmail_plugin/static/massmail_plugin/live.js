/*
 * Keeps the parts of a page up to date without reloading it.
 *
 * The server says in the part "massmail-clock" after how many seconds to ask again; 0 ends it. Nothing is
 * asked while the tab is hidden. A part is replaced only if it differs, so that focus and selection stay.
 */
const WHOLE_EVERY = 15;
const LONGEST_PAUSE = 30;

class MassmailLive extends window.StimulusModule.Controller {
  static targets = ["part", "lost"];

  static values = { url: String, lost: String };

  connect() {
    this.looks = 0;
    this.failures = 0;
    this.onVisibility = () => (document.hidden ? this.stop() : this.look());
    document.addEventListener("visibilitychange", this.onVisibility);
    this.wait();
  }

  disconnect() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.stop();
  }

  get clock() {
    return this.partTargets.find((part) => part.id === "massmail-clock");
  }

  get seconds() {
    return Number(this.clock?.dataset.seconds || 0);
  }

  stop() {
    window.clearTimeout(this.timer);
  }

  wait() {
    this.stop();
    if (!this.seconds || document.hidden) return;
    const pause = Math.min(this.seconds * 2 ** this.failures, Math.max(LONGEST_PAUSE, this.seconds));
    this.timer = window.setTimeout(() => this.look(), pause * 1000);
  }

  async look() {
    this.stop();
    if (!this.seconds || this.isLooking) return;
    this.isLooking = true;
    const before = this.clock.dataset.state;
    try {
      this.looks += 1;
      this.replace(await this.fetchParts(this.looks % WHOLE_EVERY === 0));
      if (this.clock.dataset.state !== before || !this.seconds) {
        this.replace(await this.fetchParts(true));
      }
      this.failures = 0;
      this.lostTarget.textContent = "";
    } catch {
      this.failures += 1;
      if (this.failures > 2) this.lostTarget.textContent = this.lostValue;
    }
    this.isLooking = false;
    this.wait();
  }

  async fetchParts(isWhole) {
    const response = await fetch(isWhole ? `${this.urlValue}?all=1` : this.urlValue, {
      headers: { "X-Requested-With": "XMLHttpRequest" },
    });
    // A lost session is answered with the login page.
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    return new DOMParser().parseFromString(await response.text(), "text/html");
  }

  replace(fetched) {
    this.partTargets.forEach((part) => {
      const fresh = fetched.getElementById(part.id);
      if (!fresh) return;
      Object.assign(part.dataset, fresh.dataset);
      if (part.innerHTML !== fresh.innerHTML) this.renew(part, fresh);
    });
  }

  /* What somebody has ticked stays ticked. */
  renew(part, fresh) {
    const ticked = Array.from(part.querySelectorAll("input:checked"), (box) => [box.name, box.value]);
    part.innerHTML = fresh.innerHTML;
    ticked.forEach(([name, value]) => {
      const box = part.querySelector(`input[name="${name}"][value="${value}"]`);
      if (box) box.checked = true;
    });
  }
}

window.wagtail.app.register("massmail-live", MassmailLive);
