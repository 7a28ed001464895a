(() => {
  const plots = document.querySelectorAll(".plotly-graph-div");
  // The same hues (Okabe and Ito), lighter: the others are too dim on black.
  const onBlack = {
    "#0072b2": "#5bb0e6", "#d55e00": "#ff8a4c", "#009e73": "#3cc9a0",
    "#cc79a7": "#e3a3c6", "#e69f00": "#f2b84b", "#56b4e9": "#8fd0f5",
  };
  const parts = ["marker.color", "line.color", "textfont.color", "error_x.color", "error_y.color"];
  const read = (trace, part) => part.split(".").reduce((value, name) => value && value[name], trace);
  const coloursOf = (plot) => plot.data.map((trace) => parts.map((part) => [part, read(trace, part)]));
  const own = new Map([...plots].map((plot) => [plot, coloursOf(plot)]));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paint = (isDark) => {
    const ink = isDark ? "#d9dde3" : "#30363d";
    const line = isDark ? "#3a414b" : "#dde1e6";
    const axis = (name) => ({
      [`${name}.gridcolor`]: line,
      [`${name}.linecolor`]: line,
      [`${name}.zerolinecolor`]: line,
    });
    for (const [plot, traces] of own) {
      traces.forEach((colours, trace) => {
        const known = colours.filter(([, colour]) => typeof colour === "string");
        const shown = known.map(([part, colour]) => [part, isDark ? onBlack[colour] || colour : colour]);
        Plotly.restyle(plot, Object.fromEntries(shown), [trace]);
      });
      const names = Object.keys(plot.layout).filter((name) => /^[xy]axis\d*$/.test(name));
      Plotly.relayout(plot, Object.assign({ "font.color": ink }, ...names.map(axis)));
    }
  };
  paint(dark.matches);
  dark.addEventListener("change", (event) => paint(event.matches));
  window.addEventListener("beforeprint", () => paint(false));
  window.addEventListener("afterprint", () => paint(dark.matches));
})();
// A plot that was drawn out of sight has no width of its own yet.
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => {
    for (const plot of details.querySelectorAll(".plotly-graph-div")) Plotly.Plots.resize(plot);
  });
}
