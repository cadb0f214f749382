// Runs before the first paint, so that a chosen theme never flashes into another.
(() => {
  const chosen = localStorage.getItem("longshore.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
