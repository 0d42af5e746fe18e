"use strict";
(async () => {
  const plots = [...document.querySelectorAll(".plot")];
  const settings = { responsive: true, displaylogo: false, showSendToCloud: false };
  const PAPER_PX = 690;

  // The drawing script is packed. Put in as text it is held against its sum in the page's rules like any other.
  async function unpack() {
    const packed = Uint8Array.from(atob(document.getElementById("drawing").textContent), (each) => each.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }
  if (typeof DecompressionStream === "undefined") return;
  await unpack();
  document.documentElement.classList.add("scripted");

  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The colours of page and print; series keep their own.
  function look(layout, colours) {
    const axis = { gridcolor: colours.rule, linecolor: colours.rule, zerolinecolor: colours.rule };
    const found = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": colours.ink,
      "font.family": "system-ui, sans-serif",
    };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      for (const [key, value] of Object.entries(axis)) found[`${name}.${key}`] = value;
    }
    return found;
  }

  const ofPage = () => ({ ink: ink("--ink"), rule: ink("--rule") });
  const ofPaper = { ink: "#1b1f24", rule: "#d8dee4" };

  function draw(plot) {
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "yes";
    const figure = JSON.parse(plot.parentElement.querySelector("script[type='application/json']").textContent);
    figure.layout.autosize = true;
    Plotly.newPlot(plot, figure.data, figure.layout, settings);
    Plotly.relayout(plot, look(figure.layout, ofPage()));
  }

  function repaint(colours, size) {
    for (const plot of plots.filter((each) => each.dataset.drawn)) {
      Plotly.relayout(plot, { ...look(plot.layout, colours), ...size });
    }
  }

  const near = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "800px" },
  );
  plots.forEach((plot) => near.observe(plot));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => repaint(ofPage(), {}));

  // Paper has no folds and no second look: everything is drawn and open, and as it was afterwards.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((each) => (each.open = true));
    plots.forEach(draw);
    repaint(ofPaper, { width: PAPER_PX });
  });
  addEventListener("afterprint", () => {
    opened.forEach((each) => (each.open = false));
    repaint(ofPage(), { width: null, autosize: true });
  });
})();
