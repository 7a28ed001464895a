(() => {
  const plot = document.getElementById("accuracy-over-latency");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paint = (isDark) => {
    const ink = isDark ? "#d9dde3" : "#30363d";
    const line = isDark ? "#3a414b" : "#dde1e6";
    const axis = (name) => ({
      [`${name}.gridcolor`]: line,
      [`${name}.linecolor`]: line,
      [`${name}.zerolinecolor`]: line,
    });
    Plotly.relayout(plot, { "font.color": ink, ...axis("xaxis"), ...axis("yaxis") });
  };
  paint(dark.matches);
  dark.addEventListener("change", (event) => paint(event.matches));
  window.addEventListener("beforeprint", () => paint(false));
  window.addEventListener("afterprint", () => paint(dark.matches));
})();
