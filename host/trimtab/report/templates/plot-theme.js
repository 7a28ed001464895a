(() => {
  const plots = document.querySelectorAll(".plotly-graph-div");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paint = (isDark) => {
    const ink = isDark ? "#d9dde3" : "#30363d";
    const line = isDark ? "#3a414b" : "#dde1e6";
    const axis = (name) => ({
      [`${name}.gridcolor`]: line,
      [`${name}.linecolor`]: line,
      [`${name}.zerolinecolor`]: line,
    });
    for (const plot of plots) {
      const names = Object.keys(plot.layout).filter((name) => /^[xy]axis\d*$/.test(name));
      Plotly.relayout(plot, Object.assign({ "font.color": ink }, ...names.map(axis)));
    }
  };
  paint(dark.matches);
  dark.addEventListener("change", (event) => paint(event.matches));
  window.addEventListener("beforeprint", () => paint(false));
  window.addEventListener("afterprint", () => paint(dark.matches));
})();
