"use strict";
{
  const form = document.getElementById("filters");
  const findings = [...document.querySelectorAll(".finding")];
  const [kind, name, part, state] = ["kind", "class", "part", "state"].map((id) => document.getElementById(id));
  const visible = () => findings.filter((f) => !f.hidden);

  const has = (words, word) => words.split(" ").includes(word);
  const matches = ({ dataset: d }) =>
    (!kind.value || (kind.value === "leak" ? "leak" in d : d.kind === kind.value)) &&
    (!name.value || has(d.class, name.value)) &&
    (!part.value || has(d.part, part.value)) &&
    (!state.value || (state.value === "accepted") === "accepted" in d);

  const filter = () => {
    for (const f of findings) f.hidden = !matches(f);
    document.getElementById("count").value = `${visible().length} of ${findings.length}`;
  };

  const move = (by) => {
    const shown = visible();
    const top = form.getBoundingClientRect().bottom;
    let at = shown.indexOf(document.activeElement);
    if (at < 0) {
      at = shown.findIndex((f) => f.getBoundingClientRect().bottom > top);
      at = by > 0 ? at - 1 : at;
    }
    const next = shown[Math.min(Math.max(at + by, 0), shown.length - 1)];
    if (next) {
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "start" });
    }
  };

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    f: () => kind.focus(),
    x: () => (form.reset(), filter()),
  };
  if (form) {
    form.hidden = false;
    form.addEventListener("change", filter);
    form.addEventListener("submit", (e) => e.preventDefault());
    form.addEventListener("keydown", (e) => e.key === "Escape" && document.activeElement.blur());
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || document.activeElement instanceof HTMLSelectElement) return;
      if (keys[e.key]) {
        e.preventDefault();
        keys[e.key]();
      }
    });
    filter();
  }
}
