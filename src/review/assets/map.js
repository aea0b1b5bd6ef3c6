// Draws the map that the page's table tells: tiers from the outside to the data. Without it the page is complete.
(() => {
  "use strict";
  const box = document.getElementById("map");
  const word = document.getElementById("map-word");
  if (!box || typeof cytoscape !== "function") return;
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const ink = isDark ? "#e8ecf1" : "#1b2430";
  const paper = isDark ? "#222a34" : "#ffffff";
  const line = isDark ? "#76849a" : "#8490a1";
  const red = isDark ? "#ff6b74" : "#c62f3b";
  const amber = isDark ? "#e6a23c" : "#a86400";
  const tiers = { edge: "#2563c9", application: "#0f7b6c", data: "#8b4bb8", infrastructure: "#6a7486", client: "#a86400", outside: isDark ? "#4a5666" : "#c3cad4" };

  // the columns of the tiers; whoever is outside stands before all, where it calls, or behind all
  const columns = { outside: 0, client: 1, edge: 1, application: 2, data: 3, infrastructure: 4 };
  const COLUMN_PX = 260;
  const ROW_PX = 56;
  const ROWS = 22;

  const tell = (text) => {
    word.hidden = false;
    word.textContent = text;
  };
  const short = (name) => (name.length > 42 ? `${name.slice(0, 20)}…${name.slice(-20)}` : name);

  const elements = (map) => [
    ...map.nodes.map((node) => ({ data: { id: `n${node.id}`, label: short(node.name), name: `${node.name}${node.what ? `, ${node.what}` : ""}`, color: tiers[node.tier] ?? tiers.outside, column: columns[node.tier] ?? 0, edge: node.open ? "dashed" : "solid" } })),
    ...map.edges.map((edge, n) => ({
      data: {
        id: `e${n}`, source: `n${edge.from}`, target: `n${edge.to}`,
        width: 1 + Math.min(3, Math.log10(1 + edge.connections) * 0.6),
        color: edge.denied ? red : edge.uncertain ? amber : line,
        style: edge.faint ? "dashed" : "solid", denied: edge.denied,
        ports: edge.short,
        words: `${edge.ports}: ${edge.connections} connections${edge.denied ? ", denied by this proposal" : edge.uncertain ? ", uncertain" : ""}`,
      },
    })),
  ];

  const style = [
    { selector: "node", style: { shape: "round-rectangle", width: "label", height: 26, padding: "8px", "background-color": paper, "border-width": 2, "border-color": "data(color)", "border-style": "data(edge)", label: "data(label)", color: ink, "font-size": 12, "font-weight": 600, "font-family": "Inter, system-ui, sans-serif", "text-valign": "center", "text-halign": "center" } },
    { selector: "edge", style: { width: "data(width)", "line-color": "data(color)", "line-style": "data(style)", "target-arrow-color": "data(color)", "target-arrow-shape": "triangle", "arrow-scale": 0.9, "curve-style": "bezier", "control-point-step-size": 26, opacity: 0.8 } },
    { selector: "edge.named", style: { label: "data(ports)", "font-size": 10, color: ink, "text-background-color": isDark ? "#191f27" : "#f5f6f8", "text-background-opacity": 0.9, "text-background-padding": "2px", "text-rotation": "autorotate" } },
    { selector: "edge.beside", style: { "curve-style": "unbundled-bezier", "control-point-distances": 70, "control-point-weights": 0.5 } },
    { selector: "edge.faint", style: { opacity: 0.35 } },
    { selector: ".away", style: { opacity: 0.12 } },
    { selector: "node.chosen", style: { "border-width": 4 } },
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
      all.forEach((node, n) => {
        const [lane, row] = [Math.floor(n / rows), n % rows];
        node.position({ x: left + lane * 190, y: (row - (rows - 1) / 2) * ROW_PX * (rows < 6 ? 1.5 : 1) });
      });
      if (all.length > 0) left += COLUMN_PX + (lanes - 1) * 190;
    }
    cy.fit(undefined, 28);
  };

  const still = document.getElementById("map-still");
  const draw = (map) => {
    box.hidden = false;
    if (still) still.hidden = true;
    const cy = cytoscape({ container: box, elements: elements(map), style, minZoom: 0.08, maxZoom: 3, boxSelectionEnabled: false });
    arrange(cy);
    if (map.edges.length <= 40) cy.edges().addClass("named");
    if (map.edges.length > 120) cy.edges("[!denied]").addClass("faint");
    const rest = () => {
      cy.elements().removeClass("away chosen");
      if (map.edges.length > 120) cy.edges("[!denied]").addClass("faint");
      if (map.edges.length > 40) cy.edges().removeClass("named");
      tell(`${map.nodes.length} drawn, ${map.edges.length} connections between them${map.left > 0 ? `, the ${map.left} weakest left out` : ""}. Choose one to see what it talks to; drag and scroll to move.`);
    };
    const look = (near, text) => {
      cy.elements().addClass("away");
      near.removeClass("away faint");
      near.edges().addClass("named");
      tell(text);
    };
    cy.on("tap", "node", ({ target }) => {
      cy.elements().removeClass("chosen");
      target.addClass("chosen");
      look(target.closedNeighborhood(), `${target.data("name")}: ${target.incomers("edge").length} call it, it calls ${target.outgoers("edge").length}.`);
    });
    cy.on("tap", "edge", ({ target }) => look(target.union(target.connectedNodes()), `${target.source().data("name")} → ${target.target().data("name")}: ${target.data("words")}`));
    cy.on("tap", (event) => event.target === cy && rest());
    document.addEventListener("keydown", (event) => event.key === "Escape" && rest());
    rest();
    box.dataset.drawn = "yes";
  };

  fetch(box.dataset.source, { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
    .then((map) => (map.nodes.length > 0 ? draw(map) : tell("There is nothing to draw.")))
    .catch(() => tell("The map cannot be drawn now; the table below tells the same."));
})();
