// What a reader would miss on the page: things cut, empty, pale, without a name, or from another place.
() => {
  const problems = [];
  const say = (what, node) => {
    const text = (node.textContent || "").trim().replace(/\s+/g, " ").slice(0, 50);
    const kind = node.getAttribute("class") ? "." + node.getAttribute("class").trim().split(/\s+/).join(".") : "";
    problems.push(`${what}: <${node.tagName.toLowerCase()}${kind}> ${JSON.stringify(text)}`);
  };
  const seen = node => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const root = document.documentElement;
  const text = document.body ? document.body.innerText.trim() : "";

  if (!text) problems.push("empty: the page has no text");
  if (!document.title.trim()) problems.push("nameless: the page has no title");
  if (!root.lang) problems.push("nameless: the page says no language");

  // cut: wider than the window, or than a box that hides what is over
  const scrolls = node => {
    for (let box = node.parentElement; box; box = box.parentElement)
      if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return true;
    return false;
  };
  if (root.scrollWidth > innerWidth + 1) {
    const wide = [...document.body.querySelectorAll("*")].filter(
      node => node.getBoundingClientRect().right > innerWidth + 1 && !scrolls(node) && !node.ownerSVGElement);
    problems.push(`cut: the page is ${root.scrollWidth} pixels wide in a window of ${innerWidth}`);
    for (const node of wide.slice(0, 5)) say("cut: over the window's edge", node);
  }
  for (const node of document.body.querySelectorAll("*")) {
    if (node.ownerSVGElement || !seen(node)) continue;
    const style = getComputedStyle(node);
    const hidden = side => /hidden|clip/.test(side);
    const small = node.clientWidth <= 1 || node.clientHeight <= 1;  // text for screen readers only
    if (small || node.tagName === "SVG" || node instanceof SVGElement) continue;
    if (hidden(style.overflowX) && node.scrollWidth > node.clientWidth + 1) say("cut: text is hidden to the right", node);
    if (hidden(style.overflowY) && node.scrollHeight > node.clientHeight + 1) say("cut: text is hidden below", node);
  }
  for (const svg of document.querySelectorAll("svg")) {
    if (!seen(svg)) continue;
    const box = svg.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) say("empty: a picture without size", svg);
    else
      for (const part of svg.querySelectorAll("text")) {
        const at = part.getBoundingClientRect();
        if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1)
          say("cut: text over a picture's edge", part);
      }
  }

  // empty: a section, a table or a cell row with nothing in it
  for (const node of document.querySelectorAll("section, table, ul, ol, details, figure, p, li, h1, h2, h3, caption"))
    if (!node.textContent.trim() && !node.querySelector("svg, img, canvas, input")) say("empty", node);
  for (const section of document.querySelectorAll("section")) {
    const heading = section.querySelector("h1, h2, h3");
    if (heading && section.textContent.trim() === heading.textContent.trim() && !section.querySelector("svg, img, canvas"))
      say("empty: a heading with nothing below", section);
  }
  for (const img of document.images) if (!img.complete || !img.naturalWidth) say("empty: a picture that did not load", img);

  // fetched: anything that names another place (a link to be clicked is none)
  for (const node of document.querySelectorAll("[src], link[href], use, image, object[data], form[action]")) {
    const address = node.getAttribute("src") || node.getAttribute("href") || node.getAttribute("xlink:href") ||
      node.getAttribute("data") || node.getAttribute("action") || "";
    if (address && !/^(data:|#)/.test(address)) say(`fetched: ${address}`, node);
  }
  for (const sheet of document.querySelectorAll("style"))
    if (/url\(\s*['"]?(?!data:|#|['"])|@import/i.test(sheet.textContent)) problems.push("fetched: a style names another place");

  // nameless: what a screen reader could not call by a name
  for (const node of document.querySelectorAll("button, input, select, textarea, a[href], summary, [role=button]")) {
    const label = node.getAttribute("aria-label") || node.getAttribute("title") || node.textContent.trim() ||
      (node.getAttribute("aria-labelledby") && document.getElementById(node.getAttribute("aria-labelledby"))?.textContent) ||
      (node.labels && [...node.labels].map(one => one.textContent).join("").trim());
    if (!label) say("nameless", node);
  }
  for (const node of document.querySelectorAll("img, svg[role=img], svg:not([aria-hidden])")) {
    if (node.closest("[aria-hidden=true], [role=img][aria-label], figure[aria-label]") || node.ownerSVGElement) continue;
    const label = node.getAttribute("alt") || node.getAttribute("aria-label") || node.getAttribute("aria-labelledby") ||
      [...node.children].some(child => child.tagName === "title" && child.textContent.trim());
    if (!label && node.getAttribute("alt") !== "") say("nameless", node);
  }
  const names = new Set();
  for (const node of document.querySelectorAll("[id]")) {
    if (names.has(node.id)) say(`two of one id ${node.id}`, node);
    names.add(node.id);
  }

  // pale: text that stands out too little from what is behind it (WCAG 2.2, 1.4.3: 4.5 to 1, large text 3 to 1)
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colour = css => {  // red, green, blue from 0 to 255, alpha from 0 to 1; any way CSS writes a colour
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((one, place) => one * a + under[place] * (1 - a));
  const light = rgb => {
    const [r, g, b] = rgb.map(one => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches &&
    /dark/.test(getComputedStyle(root).colorScheme + (document.querySelector("meta[name=color-scheme]")?.content || ""));
  const behind = node => {
    const layers = [];
    for (let box = node; box; box = box.parentElement) layers.unshift(colour(getComputedStyle(box).backgroundColor));
    return layers.reduce((under, layer) => over(layer, under), dark ? [18, 18, 18] : [255, 255, 255]);
  };
  let pale = 0;
  for (const node of document.body.querySelectorAll("*")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
    if (!own || !seen(node) || node.closest("svg, script, style, noscript, option, [disabled]")) continue;
    if (pale > 8) break;
    const style = getComputedStyle(node);
    if (style.backgroundImage !== "none") continue;
    const under = behind(node);
    const [a, b] = [light(over(colour(style.color), under)), light(under)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5) - 0.01) { say(`pale: ${ratio.toFixed(1)} to 1`, node); pale += 1; }
  }
  return { problems, text };
}
