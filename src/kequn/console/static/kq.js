/* The console's own script: charts, keys, the tag picker, and small manners. Everything works without it. */
"use strict";

const root = document.documentElement;
const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

/* ---- charts: the page carries what is shown (JSON in data-chart), this table says how it looks */
const number = (value, unit) => {
  if (value === null || value === undefined) return "–";
  const shown = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : String(Math.round(value * 100) / 100);
  return shown + (unit || "");
};
const short = (value) => String(Math.abs(value) < 0.01 ? Number(value.toPrecision(1)) : Math.round(value * 100) / 100);
const axisNumber = (value) => {
  const size = Math.abs(value);
  if (root.lang.startsWith("zh")) return size >= 1e8 ? short(value / 1e8) + "亿" : size >= 1e4 ? short(value / 1e4) + "万" : short(value);
  return size >= 1e6 ? short(value / 1e6) + "M" : size >= 1e4 ? short(value / 1e3) + "k" : short(value);
};
const series = () => ["--kq-c1", "--kq-c2", "--kq-c3", "--kq-c4", "--kq-c5", "--kq-c6"].map(css);
const words = { fontFamily: css("--kq-font"), fontSize: 12, color: css("--kq-text-2") };
const cut = (text) => (text.length > 16 ? text.slice(0, 15) + "…" : text);
const valueAxis = (unit, extra) => ({ type: "value", axisLabel: { ...words, formatter: (v) => axisNumber(v) + (unit || "") },
  splitLine: { lineStyle: { color: css("--kq-line") } }, splitNumber: 4, ...extra });
const whole = (c) => (c.series.every((s) => s.data.every((v) => v == null || Number.isInteger(v))) ? { minInterval: 1 } : {});  // no half customers
const labelAxis = (labels, extra) => ({ type: "category", data: labels, axisTick: { show: false },
  axisLine: { lineStyle: { color: css("--kq-line-2") } }, axisLabel: { ...words, hideOverlap: true, formatter: cut }, ...extra });
const tip = (unit, trigger) => ({ trigger, confine: true, textStyle: { ...words, color: css("--kq-text") }, transitionDuration: 0,
  valueFormatter: (v) => number(v, unit), axisPointer: { type: "shadow" } });
const GRID = { left: 8, right: 24, top: 30, bottom: 4, containLabel: true };

const KINDS = {
  bars: (c) => ({
    grid: { ...GRID, top: c.series.length > 1 ? 30 : 8 }, legend: c.series.length > 1 ? { top: 0, left: 0, textStyle: words, itemHeight: 10 } : undefined,
    tooltip: tip(c.unit, "axis"), xAxis: valueAxis(c.unit, { min: 0, ...whole(c) }), yAxis: labelAxis(c.labels, { inverse: true }),
    series: c.series.map((s) => ({ type: "bar", name: s.name, data: s.data, barMaxWidth: 14, barGap: "10%",
      itemStyle: s.grey ? { color: css("--kq-c0") } : undefined })),
  }),
  columns: (c) => ({
    grid: { ...GRID, top: c.series.length > 1 ? 30 : 12 }, legend: c.series.length > 1 ? { top: 0, left: 0, textStyle: words, itemHeight: 10 } : undefined,
    tooltip: tip(c.unit, "axis"), xAxis: labelAxis(c.labels), yAxis: valueAxis(c.unit, { ...whole(c), ...(c.series.some((s) => s.data.some((v) => v < 0)) ? {} : { min: 0 }) }),
    series: c.series.map((s) => ({ type: "bar", name: s.name, data: s.data, barMaxWidth: 42, barCategoryGap: "12%",
      itemStyle: s.grey ? { color: css("--kq-c0") } : undefined })),
  }),
  line: (c) => ({
    grid: { ...GRID, left: 24, right: 44, top: c.series.length > 1 ? 30 : 12 }, legend: c.series.length > 1 ? { top: 0, left: 0, textStyle: words } : undefined,
    tooltip: tip(c.unit, "axis"), xAxis: labelAxis(c.labels, { boundaryGap: false }), yAxis: valueAxis(c.unit, c.unit === "%" ? { min: 0, max: 100 } : { scale: true, ...whole(c) }),
    series: c.series.map((s) => ({ type: "line", name: s.name, data: s.data, symbol: s.data.length < 3 ? "circle" : "none", lineStyle: { width: 2 } })),
  }),
  tgi: (c) => ({
    grid: { ...GRID, top: 24 }, tooltip: { ...tip("", "item"), formatter: (p) => c.labels[p.dataIndex] + "<br>TGI " + number(c.points[p.dataIndex].v) },
    xAxis: valueAxis("", { min: 0, max: (v) => Math.max(150, Math.ceil(v.max / 50) * 50) }), yAxis: labelAxis(c.labels, { inverse: true }),
    series: [
      { type: "custom", z: 1, data: c.points.map((p, i) => [p.low ?? p.v, p.high ?? p.v, i]), encode: { x: [0, 1], y: 2 }, silent: true,
        renderItem: whisker(css("--kq-c0")) },
      { type: "scatter", z: 2, symbolSize: 9, data: c.points.map((p) => ({ value: p.v, itemStyle: p.hollow
          ? { color: "#fff", borderColor: css("--kq-c0"), borderWidth: 1.5 } : { color: css(p.v >= 100 ? "--kq-c1" : "--kq-c2") } })),
        markLine: { silent: true, symbol: "none", animation: false, label: { ...words, formatter: "{c}", position: "start" },
          data: (Math.max(...c.points.map((p) => p.high ?? p.v)) > 500 ? [100] : [80, 100, 120]).map((x) => ({ xAxis: x, lineStyle: { color: css("--kq-c0"), type: x === 100 ? "solid" : "dashed" } })) } },
    ],
  }),
  interval: (c) => ({
    grid: { ...GRID, top: 8 }, tooltip: { ...tip(c.unit, "item"),
      formatter: (p) => { const i = c.items[p.dataIndex]; return i.label + "<br>" + number(i.point, c.unit) + "（" + number(i.low, c.unit) + " – " + number(i.high, c.unit) + "）"; } },
    xAxis: valueAxis(c.unit, about(c.items.flatMap((i) => [i.low, i.high]))), yAxis: labelAxis(c.items.map((i) => i.label), { inverse: true }),
    series: [
      { type: "custom", z: 2, data: c.items.map((p, i) => [p.low, p.high, i]), encode: { x: [0, 1], y: 2 }, renderItem: whisker(css("--kq-c1"), c.items) },
      { type: "scatter", z: 3, symbolSize: 12, data: c.items.map((p) => ({ value: p.point, itemStyle: { color: tone(p) } })),
        markLine: { silent: true, symbol: "none", animation: false, label: { show: false }, data: [{ xAxis: 0, lineStyle: { color: css("--kq-text"), type: "solid", width: 1.5 } }] } },
    ],
  }),
  donut: (c) => ({
    tooltip: tip(c.unit, "item"), legend: { orient: "vertical", right: 4, top: "middle", textStyle: words, itemHeight: 10 },
    series: [{ type: "pie", radius: ["48%", "78%"], center: ["32%", "50%"], label: { show: false },
      data: c.labels.map((name, i) => ({ name, value: c.data[i] })) }],
  }),
};
/* Ends of an axis on round numbers with zero inside: the axis would otherwise end, and be labelled, where the data do. */
const about = (values) => {
  const low = Math.min(0, ...values), high = Math.max(0, ...values), rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough)), interval = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  return { min: Math.floor(low / interval) * interval, max: Math.ceil(high / interval) * interval, interval };
};
const tone = (item) => css(item.low > 0 ? "--kq-c1" : item.high < 0 ? "--kq-c4" : "--kq-c0");
const whisker = (colour, items) => (params, api) => {
  const low = api.coord([api.value(0), api.value(2)]), high = api.coord([api.value(1), api.value(2)]);
  const stroke = items ? tone(items[params.dataIndex]) : colour, wide = items ? 3 : 1.5, cap = items ? 6 : 3;
  const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke, lineWidth: wide } });
  return { type: "group", children: [line(low[0], low[1], high[0], high[1]), line(low[0], low[1] - cap, low[0], low[1] + cap), line(high[0], high[1] - cap, high[0], high[1] + cap)] };
};

let library = null;
const echartsReady = () => library ??= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = root.dataset.echarts;
  script.onload = () => resolve(window.echarts);
  script.onerror = reject;
  document.head.append(script);
});

class KqChart extends HTMLElement {
  static observedAttributes = ["data-chart"];
  connectedCallback() {
    this.setAttribute("role", "img");
    this.setAttribute("aria-label", JSON.parse(this.dataset.chart).label || document.title);
    this.observer = new ResizeObserver(() => this.chart?.resize());
    this.observer.observe(this);
    /* On a phone the library (as large as all the rest) comes when a chart comes into sight, or is to be printed. */
    if (!matchMedia("(max-width: 720px)").matches) { this.draw(); return; }
    this.sight = new IntersectionObserver((seen) => { if (seen.some((s) => s.isIntersecting)) this.draw(); }, { rootMargin: "80px" });
    this.sight.observe(this);
  }
  disconnectedCallback() { this.observer?.disconnect(); this.sight?.disconnect(); this.chart?.dispose(); this.chart = null; }
  attributeChangedCallback() { if (this.isConnected && this.chart) this.draw(); }
  async draw() {
    this.sight?.disconnect();
    const echarts = await echartsReady(), given = JSON.parse(this.dataset.chart);
    if (!this.isConnected) return;
    this.chart ??= echarts.init(this, null, { renderer: "svg" });
    this.chart.setOption({ color: series(), animation: false, textStyle: words, aria: { enabled: false, decal: { show: localStorage.kqDecal === "1" } },
      ...KINDS[given.kind](given) }, true);
    if (given.label) this.setAttribute("aria-label", given.label);
    this.dataset.drawn = "1";
  }
}
customElements.define("kq-chart", KqChart);
window.addEventListener("beforeprint", () => document.querySelectorAll("kq-chart:not([data-drawn])").forEach((c) => c.draw()));

/* ---- the tag picker: a text field with the catalogue's list below it; the list is in the page */
class KqTagPick extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector("input");
    this.input.addEventListener("focus", () => { this.input.select(); this.open(""); });
    this.input.addEventListener("input", (e) => { if (!e.isComposing) this.open(this.input.value); });
    this.input.addEventListener("keydown", (e) => this.key(e));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  }
  open(word) {
    const tags = KqTagPick.tags ??= JSON.parse(document.getElementById("kq-tags").textContent);
    const want = word.trim().toLowerCase();
    const exact = (t) => t.n.endsWith(" " + want) || t.t.toLowerCase() === want ? 0 : 1;
    const hits = tags.filter((t) => t.s.includes(want)).sort((a, b) => exact(a) - exact(b)).slice(0, 40);
    this.close();
    this.word = want;
    if (!hits.length) return;
    this.list = document.createElement("ul");
    this.list.className = "kq-options";
    this.list.setAttribute("role", "listbox");
    for (const tag of hits) {
      const li = document.createElement("li"), small = document.createElement("small");
      li.setAttribute("role", "option");
      li.dataset.name = tag.n;
      li.textContent = tag.t;
      small.textContent = tag.n;
      li.append(small);
      li.addEventListener("mousedown", (e) => { e.preventDefault(); this.choose(tag.n); });
      this.list.append(li);
    }
    this.at(0);
    this.append(this.list);
  }
  close() { this.list?.remove(); this.list = null; }
  at(n) { [...this.list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === n))); this.list.children[n]?.scrollIntoView?.({ block: "nearest" }); this.n = n; }
  key(e) {
    if (e.isComposing || !this.list) return;
    const last = this.list.children.length - 1;
    if (e.key === "ArrowDown") this.at(Math.min(last, this.n + 1));
    else if (e.key === "ArrowUp") this.at(Math.max(0, this.n - 1));
    else if (e.key === "Enter") this.choose(this.list.children[this.n].dataset.name);
    else if (e.key === "Escape") this.close();
    else if (e.key === "Tab" && this.word) { this.choose(this.list.children[this.n].dataset.name); return; }
    else return;
    e.preventDefault();
  }
  choose(name) {
    this.close();
    this.input.value = name;
    this.input.dispatchEvent(new Event("change", { bubbles: true }));
  }
}
customElements.define("kq-tagpick", KqTagPick);

/* ---- keys */
let chord = 0;
const typing = (e) => e.isComposing || e.keyCode === 229 || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || e.target.isContentEditable;
const rows = () => [...document.querySelectorAll("[data-rows] a[data-row], .kq-table tbody tr td:first-child a")];
const step = (by) => {
  const all = rows(), now = all.indexOf(document.activeElement);
  all[Math.min(all.length - 1, Math.max(0, now + by))]?.focus();
};
const follow = (selector) => { const link = document.querySelector(selector); link?.click(); return Boolean(link); };
document.addEventListener("keydown", (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && !e.isComposing) {
    const form = e.target.closest?.("form") || document.querySelector("form[data-main]");
    const button = form?.querySelector("[data-submit]");
    if (button) { e.preventDefault(); form.requestSubmit(button); }
    return;
  }
  if (typing(e) || e.ctrlKey || e.metaKey || e.altKey) return;
  if (Date.now() - chord < 1200) {
    chord = 0;
    if (follow(`[data-go="${CSS.escape(e.key)}"]`)) e.preventDefault();
    return;
  }
  if (e.key === "g") { chord = Date.now(); return; }
  const done = e.key === "/" ? (document.querySelector("#find")?.focus(), true)
    : e.key === "?" ? (document.querySelector("#keys")?.showModal(), true)
    : e.key === "j" ? (step(1), true) : e.key === "k" ? (step(-1), true)
    : e.key === "n" ? follow("[data-next]") : e.key === "e" ? follow("[data-edit]")
    : /^[1-9]$/.test(e.key) ? follow(`[data-key="${e.key}"]`) : false;
  if (done) e.preventDefault();
});

/* ---- manners */
document.addEventListener("input", (e) => { if (e.isComposing) e.stopImmediatePropagation(); }, true);
document.addEventListener("compositionend", (e) => e.target.dispatchEvent(new Event("input", { bubbles: true })));
document.addEventListener("click", (e) => {
  for (const menu of document.querySelectorAll("details.kq-menu[open]")) if (!menu.contains(e.target)) menu.open = false;
  const button = e.target.closest?.("[data-do]");
  if (!button) return;
  if (button.dataset.do === "print") window.print();
  if (button.dataset.do === "close") button.closest("dialog").close();
  if (button.dataset.do === "copy") navigator.clipboard?.writeText(document.querySelector(button.dataset.from).textContent);
  if (button.dataset.do === "open") document.querySelector(button.dataset.from).showModal();
});
document.addEventListener("submit", (e) => {
  const ask = e.submitter?.dataset.confirm || e.target.dataset.confirm;
  if (ask && !window.confirm(ask)) { e.preventDefault(); e.stopImmediatePropagation(); }
}, true);
/* A chart as PNG: the server's own picture (marked, and in the trail), painted here. */
document.addEventListener("submit", async (e) => {
  if (e.submitter?.dataset.png === undefined) return;
  e.preventDefault();
  const form = new FormData(e.target, e.submitter), answer = await fetch(e.target.action, { method: "POST", body: form });
  if (!answer.ok) { e.submitter.textContent = "!"; return; }
  const image = new Image(), canvas = document.createElement("canvas"), link = document.createElement("a");
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(await answer.text());
  await image.decode();
  canvas.width = image.naturalWidth * 2;
  canvas.height = image.naturalHeight * 2;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  link.href = canvas.toDataURL("image/png");
  link.download = (answer.headers.get("Content-Disposition")?.match(/filename="([^"]+)\.svg"/)?.[1] ?? "chart") + ".png";
  link.click();
});
/* What scrolls sideways within the page can be scrolled with the keyboard too. */
const scrollable = () => { for (const box of document.querySelectorAll(".kq-table-wrap, .kq-code")) if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; };
window.addEventListener("load", scrollable);
window.addEventListener("load", () => {  // on a phone the tab one is at may lie beyond the edge
  const here = document.querySelector(".kq-tabs [aria-current]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 40;
});
document.addEventListener("htmx:after:swap", scrollable);
document.addEventListener("change", (e) => { if (e.target.dataset?.submits !== undefined) e.target.form.requestSubmit(); });
/* ---- forms on a bad line: what was typed stays until the server has it; sent again with the same key it counts once */
const show = (id, is) => document.getElementById(id)?.toggleAttribute("hidden", !is);
const kept = (form) => form instanceof HTMLFormElement && form.method === "post" && form.closest(".kq-main")
  && (form.dataset.main !== undefined || form.elements.namedItem("key"))
  && !["hx-post", "hx-get", "hx-trigger", "target"].some((a) => form.hasAttribute(a)) && !form.querySelector("[hx-post], [type=file]");
const draftName = (form) => `kq:${location.pathname}:${form.getAttribute("action") || ""}`;
/* Choices and dates alone: words and amounts about a customer do not belong in a browser's store. */
const choices = (form) => [...form.elements].filter((f) => f.name && (f.tagName === "SELECT" || ["radio", "checkbox", "date", "datetime-local"].includes(f.type)));
const keepDrafts = () => { for (const form of document.forms) if (kept(form)) sessionStorage.setItem(draftName(form),
  JSON.stringify(choices(form).filter((f) => !("checked" in f) || !["radio", "checkbox"].includes(f.type) || f.checked).map((f) => [f.name, f.value]))); };
let waiting = 0;
const lineCut = () => { waiting ||= setTimeout(keepDrafts, 30000); };
const sentName = (form) => `kq:sent:${location.pathname}:${form.getAttribute("action") || ""}`;
const lineBack = () => { clearTimeout(waiting); waiting = 0; show("unsent", false); };
const take = (form) => {
  const found = sessionStorage.getItem(draftName(form));
  if (!found) return;
  sessionStorage.removeItem(draftName(form));
  for (const [name, value] of JSON.parse(found)) for (const f of choices(form)) if (f.name === name) {
    if (["radio", "checkbox"].includes(f.type)) f.checked ||= f.value === value; else f.value = value;
  }
  if (found !== "[]") show("restored", true);
};
const fresh = async (form) => { /* the token of a form that outlived a sign-in */
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const token = page.querySelector("[name=csrfmiddlewaretoken]"), old = form.querySelector("[name=csrfmiddlewaretoken]");
  if (token && old) old.value = token.value;
  return Boolean(token && old);
};
const post = (form, by) => fetch(form.getAttribute("action") || location.href,
  { method: "POST", body: new FormData(form, by), headers: { "X-Kq-Form": "1" }, signal: AbortSignal.timeout(30000) });
const send = async (form, by) => {
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    let answer = await post(form, by);
    if (answer.status === 403 && await fresh(form)) answer = await post(form, by);
    const next = answer.headers.get("X-Kq-Location");
    if (answer.status >= 502) throw new TypeError("no answer");
    lineBack();
    if (next?.startsWith("/login/")) { show("idle", false); show("out", true); return; }
    sessionStorage.removeItem(draftName(form));
    if (next) { sessionStorage.setItem(sentName(form), "1"); location.assign(next); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    document.body.replaceWith(document.adoptNode(page.body));
    window.htmx?.process(document.body);
    window.scrollTo(0, 0);
    (document.querySelector("[role=alert]:not([hidden])") ?? document.querySelector("h1"))?.scrollIntoView({ block: "center" });
  } catch {
    show("unsent", true);
    lineCut();
  } finally { form.ariaBusy = "false"; }
};
document.addEventListener("submit", (e) => {
  if (e.defaultPrevented || !kept(e.target)) return;
  e.preventDefault();
  send(e.target, e.submitter);
});
window.addEventListener("offline", lineCut);
/* A phone may drop a page it does not show, without another word. */
document.addEventListener("visibilitychange", () => { if (waiting && document.hidden) keepDrafts(); });
window.addEventListener("online", lineBack);
/* The way back after sending leads to an empty form: the browser would fill it again, under a key of its own. */
window.addEventListener("pageshow", (e) => {
  const isBack = e.persisted || performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  for (const form of document.forms) if (kept(form)) {
    const wasSent = sessionStorage.getItem(sentName(form));
    sessionStorage.removeItem(sentName(form));
    if (isBack && wasSent) form.reset(); else take(form);
  }
});

/* ---- a desk left alone: a word two minutes before the server signs it out; every tab of the desk counts */
const idle = Number(root.dataset.idle) * 1000;
const awake = () => { localStorage.kqAwake = String(Date.now()); show("idle", false); };
if (idle) {
  awake();
  setInterval(() => {
    const rest = Number(localStorage.kqAwake) + idle - Date.now();
    show("idle", rest <= 120000 && rest > 0);
    if (rest <= 0) show("out", true);
  }, 5000);
  document.addEventListener("htmx:after:request", awake);
  document.addEventListener("click", async (e) => {
    if (e.target.closest?.("[data-do=continue]") && (await fetch(root.dataset.alive)).url.endsWith(root.dataset.alive)) awake();
  });
}
const offline = () => document.querySelector("#offline")?.toggleAttribute("hidden", navigator.onLine);
window.addEventListener("online", offline);
window.addEventListener("offline", offline);
document.addEventListener("htmx:error", () => document.querySelector("#offline")?.toggleAttribute("hidden", false));
document.addEventListener("htmx:after:request", () => { if (navigator.onLine) document.querySelector("#offline")?.toggleAttribute("hidden", true); });
