// The elements of a page whose texts do not stand out from what is behind them by 4.5 to 1.
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    if (element === null) return "white";
    const { backgroundColor } = getComputedStyle(element);
    return backgroundColor === "rgba(0, 0, 0, 0)" ? behind(element.parentElement) : backgroundColor;
  };
  return [...document.querySelectorAll("h1, h2, p, dt, dd, th, td, caption, figcaption, code, button:enabled")]
    .filter((element) => {
      const [one, other] = [getComputedStyle(element).color, behind(element)].map(luminance);
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return element.textContent !== "" && contrast < 4.5;
    })
    .map((element) => element.outerHTML);
})();
