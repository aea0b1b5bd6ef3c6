// Draws the map that the page's table tells: tiers from the outside to the data. Without it the page is complete. What a
// mouse reaches on it, keys reach too, and the panel below says it, for those who do not see the drawing.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const box = byId("map");
  const [panel, word, open, sides] = ["map-panel", "map-word", "map-open", "map-sides"].map(byId);
  if (!box || typeof cytoscape !== "function") return;
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const ink = isDark ? "#e8ecf1" : "#1b2430";
  const paper = isDark ? "#222a34" : "#ffffff";
  const line = isDark ? "#76849a" : "#8490a1";
  const red = isDark ? "#ff6b74" : "#c62f3b";
  const amber = isDark ? "#e6a23c" : "#a86400";
  const accent = isDark ? "#78a9ff" : "#1d5fd1";
  const tiers = { edge: "#2563c9", application: "#0f7b6c", data: "#8b4bb8", infrastructure: "#6a7486", client: "#a86400", outside: isDark ? "#4a5666" : "#c3cad4" };

  // the columns of the tiers; whoever is outside stands before all, where it calls, or behind all
  const columns = { outside: 0, client: 1, edge: 1, application: 2, data: 3, infrastructure: 4 };
  const COLUMN_GAP_PX = 110;
  const LANE_GAP_PX = 30;
  const ROW_PX = 56;
  const ROWS = 22;
  const MARGIN_PX = 28;
  const NAME_PX = 12;
  const PORT_PX = 10;
  // names are no smaller than 10 px where one has just come: what has no room then is reached by dragging
  const READABLE = 10 / NAME_PX;
  // and few boxes are no posters
  const LARGE = 1.5;
  // neighbours that the panel lists of each side
  const LISTED = 30;

  const tell = (text) => {
    panel.hidden = false;
    word.textContent = text;
  };
  const short = (name) => (name.length > 42 ? `${name.slice(0, 20)}…${name.slice(-20)}` : name);
  const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
  const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);

  const elements = (map) => [
    ...map.nodes.map((node) => ({
      data: {
        id: `n${node.id}`, label: short(node.name), name: node.name, what: node.what, layer: node.layer, link: node.link, several: node.several, callers: node.callers, calls: node.calls,
        found: node.found, open: node.open, color: tiers[node.tier] ?? tiers.outside, column: columns[node.tier] ?? 0, edge: node.open ? "dashed" : "solid",
      },
    })),
    ...map.edges.map((edge, n) => ({
      data: {
        id: `e${n}`, source: `n${edge.from}`, target: `n${edge.to}`, link: edge.link,
        width: 1 + Math.min(3, Math.log10(1 + edge.connections) * 0.6) + (edge.denied ? 1 : 0),
        color: edge.denied ? red : edge.uncertain ? amber : line,
        style: edge.faint ? "dashed" : "solid", denied: edge.denied, uncertain: edge.uncertain,
        ports: edge.short, dx: 0, dy: 0,
        words: `${edge.ports}: ${count(edge.connections, "connection", "connections")}${edge.denied ? ", denied by this proposal" : edge.uncertain ? ", uncertain" : ""}`,
      },
    })),
  ];

  const style = [
    { selector: "node", style: { shape: "round-rectangle", width: "label", height: 26, padding: "8px", "background-color": paper, "border-width": 2, "border-color": "data(color)", "border-style": "data(edge)", label: "data(label)", color: ink, "font-size": NAME_PX, "font-weight": 600, "font-family": "Inter, system-ui, sans-serif", "text-valign": "center", "text-halign": "center" } },
    { selector: "edge", style: { width: "data(width)", "line-color": "data(color)", "line-style": "data(style)", "target-arrow-color": "data(color)", "target-arrow-shape": "triangle", "arrow-scale": 0.9, "curve-style": "bezier", "control-point-step-size": 26, opacity: 0.8 } },
    { selector: "edge.named", style: { label: "data(ports)", "font-size": PORT_PX, "text-margin-x": "data(dx)", "text-margin-y": "data(dy)", color: ink, "text-background-color": isDark ? "#191f27" : "#f5f6f8", "text-background-opacity": 0.9, "text-background-padding": "2px", "text-rotation": "autorotate" } },
    { selector: "edge.level", style: { "text-rotation": 0 } },
    { selector: "edge.beside", style: { "curve-style": "unbundled-bezier", "control-point-distances": 70, "control-point-weights": 0.5 } },
    { selector: "edge.around", style: { "curve-style": "unbundled-bezier", "edge-distances": "node-position", "control-point-distances": "data(bend)", "control-point-weights": 0.5 } },
    { selector: "edge[?denied]", style: { "target-arrow-shape": "tee", "arrow-scale": 1.2, "z-index": 2 } },
    { selector: "edge[?uncertain]", style: { "line-style": "dotted", "z-index": 1 } },
    { selector: "edge.faint", style: { opacity: 0.35 } },
    { selector: ".away", style: { opacity: 0.12 } },
    { selector: "node[?found]", style: { "background-color": isDark ? "#33260f" : "#fdf3e0" } },
    { selector: "node.chosen", style: { "border-width": 4, "outline-width": 3, "outline-color": accent, "outline-offset": 3 } },
    { selector: "edge.chosen", style: { opacity: 1, "line-color": accent, "target-arrow-color": accent, "z-index": 9 } },
  ];

  // dagre finds an order in which few lines cross; the tiers say which column a box stands in
  const arrange = (cy) => {
    const place = (node) => node.data("column");
    cy.nodes().forEach((node) => {
      if (place(node) === 0 && node.outgoers("edge").length === 0) node.data("column", 5);
    });
    cy.edges().filter((edge) => place(edge.source()) === place(edge.target())).addClass("beside");
    const forward = cy.edges().filter((edge) => place(edge.source()) < place(edge.target()));
    cy.nodes().union(forward).layout({ name: "dagre", rankDir: "LR", nodeSep: 16, rankSep: 110, edgeSep: 8, animate: false, fit: false }).run();
    let left = 0;
    for (let column = 0; column <= 5; column += 1) {
      const all = cy.nodes().filter((node) => place(node) === column).sort((a, b) => a.position("y") - b.position("y"));
      const lanes = Math.ceil(all.length / ROWS);
      const rows = Math.ceil(all.length / Math.max(1, lanes));
      // as wide as the longest name: no box covers another
      const wide = Math.max(0, ...all.map((node) => node.outerWidth())) + LANE_GAP_PX;
      all.forEach((node, n) => {
        const [lane, row] = [Math.floor(n / rows), n % rows];
        node.position({ x: left + lane * wide + wide / 2, y: (row - (rows - 1) / 2) * ROW_PX * (rows < 6 ? 1.5 : 1) });
      });
      if (all.length > 0) left += lanes * wide + COLUMN_GAP_PX;
    }
    around(cy);
    // a flat drawing needs no high window: what is said of it stands nearer
    const { w, h } = cy.elements().boundingBox();
    const level = Math.max(READABLE, (box.clientWidth - 2 * MARGIN_PX) / Math.max(1, w));
    box.style.height = `min(64vh, 46rem, ${Math.ceil(h * level) + 3 * MARGIN_PX}px)`;
    cy.resize();
    begin(cy);
  };

  // All of it, where that can be read and has room, else where it begins: at the left, in the middle.
  const begin = (cy) => {
    cy.fit(undefined, MARGIN_PX);
    if (cy.zoom() > LARGE) cy.zoom(LARGE);
    else if (cy.zoom() < READABLE) cy.zoom(READABLE);
    cy.center();
    const { x1 } = cy.elements().renderedBoundingBox();
    if (x1 < MARGIN_PX) cy.panBy({ x: MARGIN_PX - x1, y: 0 });
  };

  const isWhole = (cy) => {
    const [seen, all] = [cy.extent(), cy.elements().boundingBox()];
    return all.x1 >= seen.x1 && all.x2 <= seen.x2 && all.y1 >= seen.y1 && all.y2 <= seen.y2;
  };

  // Where along its line a port may stand: in the middle, else nearer to an end.
  const PLACES = [0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78];
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${PORT_PX}px Inter, system-ui, sans-serif`;

  // No port covers another, nor is covered by a box: it moves along its line, on a short line it lies level, and where there is
  // no room it is left out until its line or one of its boxes is chosen. Denied ones, which are drawn first of all, have the first choice.
  const label = (cy, edges) => {
    const boxes = cy.nodes().map((node) => node.boundingBox({ includeLabels: false }));
    const taken = [];
    cy.edges().removeClass("named level");
    edges.forEach((edge) => {
      const [from, to, bend] = [edge.sourceEndpoint(), edge.targetEndpoint(), edge.midpoint()];
      const long = Math.hypot(to.x - from.x, to.y - from.y) || 1;
      const along = { x: (to.x - from.x) / long, y: (to.y - from.y) / long };
      const half = pen.measureText(edge.data("ports")).width / 2 + 4;
      const place = (part, way) => {
        // the curve through both ends and its middle
        const [a, b, c] = [2 * (part - 0.5) * (part - 1), 4 * part * (1 - part), 2 * part * (part - 0.5)];
        const at = { x: a * from.x + b * bend.x + c * to.x, y: a * from.y + b * bend.y + c * to.y };
        const points = [];
        for (let far = -half; far <= half; far += PORT_PX / 2) points.push({ x: at.x + far * way.x, y: at.y + far * way.y });
        return { at, points, isLevel: way !== along };
      };
      const isFree = ({ points }) => points.every(({ x, y }) => !boxes.some((it) => x > it.x1 - 2 && x < it.x2 + 2 && y > it.y1 - 2 && y < it.y2 + 2)
        && !taken.some((it) => Math.hypot(it.x - x, it.y - y) < PORT_PX * 1.5));
      const places = [along, { x: 1, y: 0 }].flatMap((way) => PLACES.map((part) => place(part, way)));
      const found = places.find(isFree) ?? (edges.length === 1 ? places[0] : null);
      if (!found) return;
      taken.push(...found.points);
      edge.data({ dx: found.at.x - bend.x, dy: found.at.y - bend.y }).addClass("named").toggleClass("level", found.isLevel);
    });
  };

  // A line that would run behind a box, and look as if it ended there, bends around it. Of many lines none is told apart anyway.
  const around = (cy) => {
    if (cy.edges().length > 400) return;
    const boxes = cy.nodes().map((node) => ({ node, at: node.boundingBox({ includeLabels: false }) }));
    cy.edges().not(".beside").forEach((edge) => {
      const [from, to] = [edge.source().position(), edge.target().position()];
      const hits = (bend) => boxes.filter(({ node, at }) => {
        if (node.same(edge.source()) || node.same(edge.target())) return false;
        // points of the curve that has its middle so far aside
        const long = Math.hypot(to.x - from.x, to.y - from.y) || 1;
        for (let n = 1; n < 20; n += 1) {
          const part = n / 20;
          const aside = 2 * part * (1 - part) * bend;
          const x = from.x + (to.x - from.x) * part - ((to.y - from.y) / long) * aside;
          const y = from.y + (to.y - from.y) * part + ((to.x - from.x) / long) * aside;
          if (x > at.x1 - 4 && x < at.x2 + 4 && y > at.y1 - 4 && y < at.y2 + 4) return true;
        }
        return false;
      }).length;
      const straight = hits(0);
      if (straight === 0) return;
      const bends = [40, -40, 80, -80, 130, -130, 190, -190, 260, -260].map((bend) => [hits(bend), bend]);
      const [least, bend] = bends.reduce((best, it) => (it[0] < best[0] ? it : best));
      if (least < straight) edge.data("bend", bend).addClass("around");
    });
  };

  // The nearest box in a direction: what is aside counts double, so that a row or a column is followed.
  const nearest = (cy, from, [x, y]) => {
    const here = from.position();
    let best = null;
    let least = Infinity;
    cy.nodes().forEach((node) => {
      const there = node.position();
      const [dx, dy] = [there.x - here.x, there.y - here.y];
      const ahead = dx * x + dy * y;
      const far = ahead + 2 * Math.abs(dx * y + dy * x);
      if (ahead > 8 && far < least) [best, least] = [node, far];
    });
    return best;
  };

  // where one comes back from there, one is at the same box or line
  const go = (element, last) => {
    if (!element?.data("link")) return;
    const line = element.isEdge() ? [element.source().data("name"), element.target().data("name")] : null;
    history.replaceState({ at: (last ?? (line ? element.source() : element)).data("name"), line }, "");
    location.assign(element.data("link"));
  };

  // What is chosen, and what becomes of the drawing and of the panel then.
  const chooser = (cy, map) => {
    let chosen = null;
    const isFaint = map.edges.length > 120;
    const clear = () => {
      cy.elements().removeClass("away chosen");
      if (isFaint) cy.edges("[!denied]").addClass("faint");
      label(cy, map.edges.length > 40 ? cy.collection() : cy.edges());
    };
    const rest = () => {
      clear();
      chosen = null;
      open.hidden = sides.hidden = true;
      const left = map.left > 0 ? `, the ${map.left} weakest left out` : "";
      tell(`${count(map.nodes.length, "box", "boxes")} drawn, ${count(map.edges.length, "line", "lines")} between them${left}. Choose one to see what it talks to.${isWhole(cy) ? "" : " There is more than this window shows: drag it, or show all."}`);
    };
    const look = (near, element, text) => {
      clear();
      chosen = element;
      cy.elements().addClass("away");
      near.removeClass("away faint");
      label(cy, near.edges());
      element.addClass("chosen");
      tell(text);
      const { x1, x2, y1, y2 } = cy.extent();
      const at = element.boundingBox();
      if (at.x1 < x1 || at.x2 > x2 || at.y1 < y1 || at.y2 > y2) cy.center(element);
      // whoever chose it wants to read of it; who has just come wants to see the page
      if (document.activeElement !== document.body) panel.scrollIntoView({ block: "nearest" });
    };
    const offer = (...links) => {
      open.replaceChildren(...links.map(([text, href]) => make("a", text, { href, className: "button" })));
      open.hidden = false;
    };
    const side = (title, edges, end) => {
      const part = document.createElement("div");
      const list = document.createElement("ul");
      edges.slice(0, LISTED).forEach((edge) => {
        const item = document.createElement("li");
        const other = edge[end]();
        const go = make("button", other.data("name"), { type: "button" });
        go.addEventListener("click", () => { node(other); box.focus(); });
        item.append(go, " ", make("a", edge.data("words"), { href: edge.data("link") }));
        list.append(item);
      });
      part.append(make("h2", `${title}: ${edges.length}`), list);
      if (edges.length > LISTED) part.append(make("p", `and ${edges.length - LISTED} more`));
      return part;
    };
    // of how many, and how many of them are drawn where that is not all
    const some = (all, drawn) => (all === drawn ? `${all}` : `${all} (${drawn} drawn)`);
    const node = (target) => {
      const [callers, called] = [target.incomers("edge"), target.outgoers("edge")];
      const { name, what, layer, link, several, open: isOpen } = target.data();
      look(target.closedNeighborhood(), target, `${name}, ${what}, ${layer}${isOpen ? ", left open" : ""}. Called by ${some(target.data("callers"), callers.length)}, calls ${some(target.data("calls"), called.length)}.${several ? " Stands for several." : ""}`);
      offer([several ? `Look into ${name}` : `Open ${name}`, link]);
      sides.replaceChildren(side("Called by", callers, "source"), side("Calls", called, "target"));
      sides.hidden = false;
    };
    const edge = (target, before = "") => {
      const [from, to] = [target.source(), target.target()];
      look(target.union(target.connectedNodes()), target, `${before}${from.data("name")} → ${to.data("name")}: ${target.data("words")}.`);
      offer(["Open this line", target.data("link")], [`Open ${from.data("name")}`, from.data("link")], [`Open ${to.data("name")}`, to.data("link")]);
      sides.hidden = true;
    };
    return { rest, node, edge, get: () => chosen };
  };

  const reach = (cy, choose) => {
    let last = null; // the box from which its lines are gone through
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const sideways = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
    const first = () => cy.nodes("[?found]").union(cy.nodes()).sort((a, b) => Number(b.data("found")) - Number(a.data("found")) || a.position("x") - b.position("x") || a.position("y") - b.position("y"))[0];
    const take = (node) => {
      if (!node) return;
      last = node;
      choose.node(node);
    };
    const step = (by) => {
      const lines = last?.connectedEdges();
      if (!last) return;
      if (lines.length === 0) {
        tell(`${last.data("name")} has no lines.`);
        return;
      }
      const at = lines.toArray().findIndex((it) => it.same(choose.get()));
      const next = at < 0 ? (by > 0 ? 0 : lines.length - 1) : (at + by + lines.length) % lines.length;
      choose.edge(lines[next], `Line ${next + 1} of ${lines.length}: `);
    };
    const zoom = (by) => cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: box.clientWidth / 2, y: box.clientHeight / 2 } });
    const back = () => {
      if (choose.get()?.isEdge() && last) return take(last);
      last = null;
      choose.rest();
    };
    const enter = () => go(choose.get(), last);
    const all = () => cy.fit(undefined, MARGIN_PX);
    const keys = { Enter: enter, " ": enter, Escape: back, Home: () => take(first()), n: () => step(1), p: () => step(-1), "+": () => zoom(1.25), "-": () => zoom(0.8), 0: all };
    [["map-nearer", () => zoom(1.25)], ["map-farther", () => zoom(0.8)], ["map-all", all]].forEach(([id, act]) => byId(id).addEventListener("click", act));
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const arrow = arrows[event.key];
      const on = () => {
        const next = nearest(cy, last, arrow);
        if (next) take(next);
        else tell(`${last.data("name")}: no box further ${sideways[event.key]}.`);
      };
      const act = arrow ? () => (last ? on() : take(first())) : keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    panel.addEventListener("keydown", (event) => event.key === "Escape" && (back(), box.focus()));
    // a second click on the same opens it
    cy.on("tap", "node", ({ target }) => (target.same(choose.get() ?? cy.collection()) ? go(target) : take(target)));
    cy.on("tap", "edge", ({ target }) => (target.same(choose.get() ?? cy.collection()) ? go(target, last) : choose.edge(target)));
    cy.on("tap", (event) => event.target === cy && (last = null, choose.rest()));
    choose.rest();
    const before = cy.nodes().filter((node) => node.data("name") === history.state?.at)[0];
    const [from, to] = history.state?.line ?? [];
    const line = cy.edges().filter((edge) => edge.source().data("name") === from && edge.target().data("name") === to)[0];
    if (before) {
      take(before);
      if (line) choose.edge(line);
      box.focus();
    } else if (cy.nodes("[?found]").length > 0) take(first());
  };

  const draw = (map) => {
    box.hidden = byId("map-keys").hidden = byId("map-zoom").hidden = false;
    byId("map-still").hidden = true;
    // the wheel alone scrolls the page, as everywhere: the library, which would zoom with it, never sees it
    box.addEventListener("wheel", (event) => {
      event.stopImmediatePropagation();
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { left, top } = box.getBoundingClientRect();
      cy.zoom({ level: cy.zoom() * (event.deltaY < 0 ? 1.2 : 0.83), renderedPosition: { x: event.clientX - left, y: event.clientY - top } });
    }, { passive: false, capture: true });
    const cy = cytoscape({ container: box, elements: elements(map), style, minZoom: 0.08, maxZoom: 3, boxSelectionEnabled: false, autoungrabify: true });
    // whoever drags a box drags the map: boxes have their places
    cy.nodes().panify();
    arrange(cy);
    reach(cy, chooser(cy, map));
    box.dataset.drawn = "yes";
  };

  fetch(box.dataset.source, { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
    .then((map) => (map.nodes.length > 0 ? draw(map) : tell("There is nothing to draw.")))
    .catch(() => tell("The map cannot be drawn now; the table below tells the same."));
})();
