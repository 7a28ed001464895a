(() => {
  const plot = document.getElementById("accuracy-over-latency");
  // The same hues (Okabe and Ito), lighter: the others are too dim on black.
  const onBlack = {
    "#0072b2": "#5bb0e6", "#d55e00": "#ff8a4c", "#009e73": "#3cc9a0",
    "#cc79a7": "#e3a3c6", "#e69f00": "#f2b84b", "#56b4e9": "#8fd0f5",
  };
  const colours = plot.data.map((trace) => trace.textfont.color);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paint = (isDark) => {
    const ink = isDark ? "#d9dde3" : "#30363d";
    const line = isDark ? "#3a414b" : "#dde1e6";
    const axis = (name) => ({
      [`${name}.gridcolor`]: line,
      [`${name}.linecolor`]: line,
      [`${name}.zerolinecolor`]: line,
    });
    colours.forEach((own, trace) => {
      const colour = isDark ? onBlack[own] || own : own;
      const parts = ["marker.color", "textfont.color", "error_x.color", "error_y.color"];
      Plotly.restyle(plot, Object.fromEntries(parts.map((part) => [part, colour])), [trace]);
    });
    Plotly.relayout(plot, { "font.color": ink, ...axis("xaxis"), ...axis("yaxis") });
  };
  paint(dark.matches);
  dark.addEventListener("change", (event) => paint(event.matches));
  window.addEventListener("beforeprint", () => paint(false));
  window.addEventListener("afterprint", () => paint(dark.matches));
})();
