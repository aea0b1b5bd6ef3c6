// Reading needs none of this: it finds policies, and lights up the lines of a box.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tools = document.querySelector(".tools");
  const policies = all(".policy");
  const parents = all(".namespace, .tier");
  if (tools && policies.length > 0) {
    tools.hidden = false;
    const search = document.getElementById("search");
    const found = document.getElementById("found");
    const wants = { "has-doubts": document.getElementById("only-doubts"), "is-open": document.getElementById("only-open") };
    const wasOpen = new Map(parents.map((it) => [it, it.open]));
    const texts = new Map();
    const text = (it) => {
      if (!texts.has(it)) texts.set(it, it.textContent.toLowerCase());
      return texts.get(it);
    };
    const home = (it) => it.closest(".namespace").querySelector("h3").textContent.toLowerCase();
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const classes = Object.keys(wants).filter((name) => wants[name].checked);
      const isAny = words.length > 0 || classes.length > 0;
      let count = 0;
      for (const it of policies) {
        const fits = words.every((word) => text(it).includes(word) || home(it).includes(word)) && classes.every((name) => it.classList.contains(name));
        it.hidden = !fits;
        if (fits) count += 1;
      }
      for (const it of parents) {
        it.hidden = isAny && !it.querySelector(".policy:not([hidden])");
        it.open = isAny ? !it.hidden : wasOpen.get(it);
      }
      found.textContent = isAny ? `${count} of ${policies.length} policies` : "";
    };
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(filter, 120);
    });
    for (const box of Object.values(wants)) box.addEventListener("change", filter);
    tools.addEventListener("submit", (event) => event.preventDefault());
    const setAll = (open) => {
      for (const it of [...parents, ...policies]) if (!it.hidden) it.open = open;
    };
    document.getElementById("open-all").addEventListener("click", () => setAll(true));
    document.getElementById("close-all").addEventListener("click", () => setAll(false));
  }
  for (const map of all("svg.map")) {
    const lines = all(".line", map);
    const nodes = all(".node", map);
    const light = (id) => {
      const near = new Set([id]);
      for (const line of lines) {
        const isOwn = id === null || line.dataset.from === id || line.dataset.to === id;
        line.classList.toggle("dim", !isOwn);
        if (isOwn) near.add(line.dataset.from).add(line.dataset.to);
      }
      for (const node of nodes) node.classList.toggle("dim", id !== null && !near.has(node.dataset.node));
    };
    for (const node of nodes) {
      node.addEventListener("mouseenter", () => light(node.dataset.node));
      node.addEventListener("mouseleave", () => light(null));
    }
  }
})();
