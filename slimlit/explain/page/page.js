"use strict";
(() => {
  const bytes = async (text) => {
    const raw = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const make = (name, text, facts = {}) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
    return made;
  };
  const shade = (value) => {
    const steps = Math.floor((Math.abs(value) * 16 + 127) / 254);
    return steps ? (value > 0 ? "p" : "n") + steps : "";
  };
  const shown = (value) => (value < 0 ? "\u2212" : "") + Math.abs(value).toPrecision(2);
  const articles = [...document.querySelectorAll("article")];
  const texts = [];
  let method = 0;

  const prepare = async (article) => {
    const facts = JSON.parse(article.querySelector('script[type="application/json"]').textContent);
    const own = article.querySelector("p.text");
    const teacher = article.querySelector(".teacher");
    if (teacher) {
      const copy = teacher.querySelector(".text");
      copy.append(...[...own.cloneNode(true).childNodes]);
    }
    const heat = facts.h ? new Int8Array((await bytes(facts.h)).buffer) : new Int8Array(0);
    const spans = [...own.querySelectorAll("span")];
    const fixed = spans.map((span) => [...span.classList].filter((name) => name === "s" || name === "h"));
    return { article, facts, heat, spans, fixed, teacher, answer: 0 };
  };

  const row = (text, line) => {
    const lines = text.facts.s.length ? text.facts.s[0].length : 0;
    const start = (text.answer * lines + line) * text.spans.length;
    return text.heat.subarray(start, start + text.spans.length);
  };

  const paint = (text, spans, line) => {
    const values = row(text, line);
    spans.forEach((span, place) => {
      const asked = place === text.facts.p[text.answer] ? "q" : "";
      span.className = [shade(values[place] || 0), ...text.fixed[place], asked].filter(Boolean).join(" ");
    });
  };

  const draw = (text) => {
    const { article, facts, teacher } = text;
    if (!facts.s.length) return;
    paint(text, text.spans, method);
    if (teacher) {
      const line = facts.m.length + method;
      teacher.hidden = !(facts.s[text.answer][line] > 0);
      if (!teacher.hidden) paint(text, [...teacher.querySelectorAll(".text span")], line);
    }
    for (const section of article.querySelectorAll("section[data-a]")) {
      section.hidden = Number(section.dataset.a) !== text.answer;
      for (const part of section.querySelectorAll("[data-m]")) part.hidden = Number(part.dataset.m) !== method;
    }
    const numbers = article.querySelector(".numbers");
    if (numbers.open) tabulate(text, numbers);
  };

  const tabulate = (text, panel) => {
    const { facts, spans } = text;
    const names = [...facts.m, ...facts.m.map((name) => `teacher: ${name}`)];
    const lines = names.map((_, line) => line).filter((line) => facts.s[text.answer][line] > 0);
    const table = make("table", undefined, { class: "plain" });
    table.append(make("caption", "in steps of 1/127 of each column's largest"));
    const head = table.createTHead().insertRow();
    for (const name of ["word", ...lines.map((line) => names[line])]) head.append(make("th", name, { scope: "col" }));
    const body = table.createTBody();
    spans.forEach((span, place) => {
      if (text.fixed[place].includes("s")) return;
      const made = body.insertRow();
      made.append(make("th", span.textContent, { scope: "row" }));
      for (const line of lines) made.append(make("td", shown((row(text, line)[place] / 127) * facts.s[text.answer][line])));
    });
    const box = panel.querySelector("div");
    box.tabIndex = 0;
    box.replaceChildren(table);
  };

  const browse = async (text, panel) => {
    const box = panel.querySelector("div");
    if (box.childNodes.length) return;
    for (const part of text.facts.f) {
      const values = await bytes(part.d);
      const [rows, columns] = [part.r, part.c].map(([from, to]) => Math.ceil((to - from) / part.g));
      const head = (layer, number) => values.subarray((layer * part.h + number) * rows * columns, (layer * part.h + number + 1) * rows * columns);
      const grid = make("div", undefined, { class: "grid", role: "group", "aria-label": `${part.n}: layers down, heads across` });
      grid.style.gridTemplateColumns = `repeat(${part.h}, minmax(24px, 64px))`;
      const large = make("div", undefined, { class: "scroll", tabindex: "0" });
      const choose = (layer, number, button) => {
        for (const other of grid.children) other.setAttribute("aria-pressed", String(other === button));
        large.replaceChildren(map(text, part, head(layer, number), named(part, layer, number)));
      };
      for (let layer = 0; layer < part.l; layer++) {
        for (let number = 0; number < part.h; number++) {
          const button = make("button", undefined, { type: "button", "aria-label": named(part, layer, number), title: named(part, layer, number) });
          button.append(thumbnail(head(layer, number), rows, columns, part.q));
          button.addEventListener("click", () => choose(layer, number, button));
          grid.append(button);
        }
      }
      grid.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: part.h, ArrowUp: -part.h }[event.key];
        const next = step && grid.children[[...grid.children].indexOf(document.activeElement) + step];
        if (!next) return;
        event.preventDefault();
        next.focus();
        next.click();
      });
      box.append(make("p", part.n, { class: "note" }), grid, large);
      choose(part.l - 1, 0, grid.children[(part.l - 1) * part.h]);
    }
  };

  const named = (part, layer, number) => `layer ${layer + 1}, head ${number + 1}`;

  const thumbnail = (values, rows, columns, levels) => {
    const canvas = make("canvas", undefined, { width: columns, height: rows, "aria-hidden": "true" });
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    values.forEach((value, at) => image.data.set([245, 158, 11, (255 * value) / levels], 4 * ((at % rows) * columns + Math.floor(at / rows))));
    context.putImageData(image, 0, 0);
    return canvas;
  };

  const map = (text, part, values, name) => {
    const grouped = ([from, to]) => {
      const found = [];
      for (let at = from; at < to; at += part.g) found.push(text.spans.slice(at, Math.min(to, at + part.g)).map((span) => span.textContent).join(" "));
      return found;
    };
    const [rows, columns] = [grouped(part.r), grouped(part.c)];
    const table = make("table", undefined, { class: "map" });
    table.append(make("caption", `${name}: where each word (row) looked, in per cent of its attention`));
    const head = table.createTHead().insertRow();
    head.append(make("td"));
    for (const word of columns) head.append(make("th", word, { scope: "col" }));
    const body = table.createTBody();
    rows.forEach((word, line) => {
      const made = body.insertRow();
      made.append(make("th", word, { scope: "row" }));
      columns.forEach((other, column) => {
        const root = values[column * rows.length + line] / part.q;
        const cell = made.insertCell();
        cell.style.setProperty("--l", (8 * root).toFixed(2));
        cell.title = `${word} \u2192 ${other}: ${(100 * root * root).toFixed(1)} %`;
        if (root > 0.7) cell.textContent = Math.round(100 * root * root);
      });
    });
    return table;
  };

  const start = async () => {
    for (const article of articles) {
      const text = await prepare(article);
      texts.push(text);
      const form = article.querySelector(".answers");
      if (form) {
        form.hidden = false;
        form.reset();
        form.addEventListener("change", (event) => {
          text.answer = Number(event.target.value);
          draw(text);
        });
      }
      const numbers = article.querySelector(".numbers");
      numbers.hidden = !text.facts.s.some((scales) => scales.some((scale) => scale > 0));
      numbers.addEventListener("toggle", () => numbers.open && tabulate(text, numbers));
      const heads = article.querySelector(".heads");
      if (heads) {
        heads.hidden = false;
        heads.addEventListener("toggle", () => heads.open && browse(text, heads));
      }
      draw(text);
    }
    const bar = document.getElementById("methods");
    if (!bar) return;
    bar.hidden = false;
    bar.reset();
    bar.addEventListener("change", (event) => {
      method = Number(event.target.value);
      texts.forEach(draw);
    });
    document.documentElement.dataset.ready = "1";
  };

  const closed = () => document.querySelectorAll("details:not([open]):not(.heads):not(.numbers)");
  let opened = [];
  addEventListener("beforeprint", () => (opened = [...closed()]).forEach((one) => (one.open = true)));
  addEventListener("afterprint", () => opened.forEach((one) => (one.open = false)));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ["SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    const choice = document.querySelector(`#methods input[value="${Number(event.key) - 1}"]`);
    if (/^[1-9]$/.test(event.key) && choice) choice.click();
    if (event.key === "j" || event.key === "k") {
      const at = articles.findIndex((article) => article.getBoundingClientRect().bottom > 90);
      const here = articles.indexOf(document.activeElement.closest("article"));
      const next = articles[(here < 0 ? at - (event.key === "j" ? 1 : 0) : here) + (event.key === "j" ? 1 : -1)];
      if (next) {
        next.scrollIntoView();
        next.focus({ preventScroll: true });
      }
    }
  });
  start();
})();
