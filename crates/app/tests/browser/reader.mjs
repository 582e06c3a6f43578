// A person at a browser, who has no mouse: finds things by Tab and what they are called, and sees what a page looks like.
import assert from "node:assert/strict";

/// Tab stops after which a person gives up looking.
const TABS_MAX = 400;

/// What has the focus, in words, and whether that can be seen.
const focused = () => {
  const here = document.activeElement;
  if (!here || here === document.body) return { name: "", visible: true };
  const style = getComputedStyle(here);
  const label = here.labels?.[0]?.innerText ?? here.innerText;
  const visible = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return { name: (label || "").trim(), kind: here.localName, visible, box: here.closest("section, li, article")?.innerText ?? "" };
};

/// What is wrong with a page wherever it is read: its outline, its labels, its colours.
const faults = () => {
  const wrong = [];
  const seen = (what) => [...document.querySelectorAll(what)].filter((element) => element.checkVisibility());
  const text = (element) => (element.innerText ?? "").trim().slice(0, 60);
  if (document.documentElement.lang !== "en") wrong.push(`lang is ${document.documentElement.lang}`);
  if (!/^.+ · Syncline$/.test(document.title)) wrong.push(`title is ${document.title}`);
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  const menu = seen("nav a");
  const here = `/${location.pathname.split("/")[1]}`;
  for (const link of menu) {
    const current = link.hasAttribute("aria-current");
    if (current !== (new URL(link.href).pathname === here)) wrong.push(`the menu is wrong about "${text(link)}"`);
  }
  const counted = document.body.innerText.match(/\b1 (events|pairs|times|calendars|upcoming events)\b/);
  if (counted) wrong.push(`"${counted[0]}"`);
  let level = 0;
  for (const heading of seen("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.localName[1]);
    if (next > level + 1) wrong.push(`${heading.localName} "${text(heading)}" below h${level}`);
    level = next;
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (![...(field.labels ?? [])].some(text)) wrong.push(`a field without label: ${field.name}`);
  }
  for (const control of seen("a, button, summary")) {
    if (!text(control) && !control.getAttribute("aria-label")) wrong.push(`${control.localName} without a name`);
  }
  for (const link of menu) {
    const lines = link.getBoundingClientRect().height / parseFloat(getComputedStyle(link).lineHeight);
    if (lines > 1.5) wrong.push(`"${text(link)}" of the menu is broken into ${Math.round(lines)} lines`);
  }
  for (const link of seen("main a")) {
    if (link.href === location.href) wrong.push(`"${text(link)}" leads to where it stands`);
  }
  const below = seen("dl:not(.counts) > div").map((pair) => pair.lastElementChild.offsetTop > pair.firstElementChild.offsetTop);
  if (new Set(below).size > 1) wrong.push("values stand beside their names and below them");
  for (const bad of seen(".bad")) {
    const first = document.createRange();
    first.setStart(bad, 0);
    first.setEnd(bad.firstChild, 1);
    const line = parseFloat(getComputedStyle(bad).lineHeight);
    const alone = first.getBoundingClientRect().top > bad.getBoundingClientRect().top + line / 2;
    if (alone) wrong.push(`the sign stands alone above "${text(bad)}"`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");

  const probe = document.body.appendChild(document.createElement("i"));
  const rgba = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  probe.style.backgroundColor = "Canvas";
  const canvas = rgba(getComputedStyle(probe).backgroundColor);
  probe.remove();
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const behind = (element) => {
    const own = element ? rgba(getComputedStyle(element).backgroundColor) : canvas;
    return own[3] === 1 ? own : over(own, behind(element?.parentElement ?? null));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (front, back) => {
    const [a, b] = [light(over(front, back)), light(back)].sort((a, b) => b - a);
    return (a + 0.05) / (b + 0.05);
  };
  const pale = new Set();
  const judge = (what, style, element, least) => {
    const found = contrast(rgba(style.color), behind(element));
    // One text of each colour is enough to find it by.
    if (found >= least || pale.has(`${style.color} ${found}`)) return;
    pale.add(`${style.color} ${found}`);
    wrong.push(`contrast ${found.toFixed(2)} of ${what}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [size, weight] = [parseFloat(style.fontSize), Number(style.fontWeight)];
    const large = size >= 24 || (size >= 18.66 && weight >= 700);
    judge(`"${walker.currentNode.data.trim().slice(0, 40)}"`, style, element, large ? 3 : 4.5);
  }
  for (const sign of seen(".good, .bad")) {
    judge(`the sign before "${text(sign)}"`, getComputedStyle(sign, "::before"), sign, 3);
  }
  return [...new Set(wrong)];
};

/// How far a page is wider than its window, and what sticks out.
const sticksOut = () => {
  const width = document.documentElement.clientWidth;
  const all = [...document.body.querySelectorAll("*")].filter((element) => element.getBoundingClientRect().right > width + 1);
  return document.documentElement.scrollWidth > width ? all.map((element) => element.outerHTML.slice(0, 80)) : [];
};

export class Reader {
  constructor(page, base, folder) {
    Object.assign(this, { page, base, folder, wrong: [], expected: [], looked: 0 });
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== base) this.wrong.push(`asked another host: ${request.url()}`);
    });
    page.on("pageerror", (error) => this.wrong.push(`a script failed: ${error}`));
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      const at = this.expected.findIndex((part) => message.text().includes(part));
      if (at >= 0) this.expected.splice(at, 1);
      else this.wrong.push(`the console says: ${message.text()}`);
    });
  }

  /// A refusal that is meant to come, which browsers note in their console.
  expect(status) {
    this.expected.push(`status of ${status}`);
  }

  /// Opens a page by its address.
  async open(path) {
    await this.page.goto(this.base + path);
  }

  /// The text of the page as people read it.
  async text() {
    return this.page.locator("main").innerText();
  }

  /// Notes what is not as it should be, and goes on: one run tells everything.
  is(right, wrong) {
    if (!right) this.wrong.push(`${this.page.url().slice(this.base.length)}: ${wrong}`);
  }

  async reads(...parts) {
    const text = await this.text();
    for (const part of parts) this.is(text.includes(part), `"${part}" is missing in:\n${text}`);
  }

  async lacks(...parts) {
    const text = await this.text();
    for (const part of parts) this.is(!text.includes(part), `"${part}" stands in:\n${text}`);
  }

  /// Goes on by Tab until what is called so has the focus; where `within` is given, it stands beside that text.
  async tabTo(name, within = "") {
    for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
      await this.page.keyboard.press("Tab");
      const here = await this.page.evaluate(focused);
      assert.ok(here.visible, `nobody sees that "${here.name}" has the focus on ${this.page.url()}`);
      if (here.name.startsWith(name) && here.box.includes(within)) return;
    }
    assert.fail(`Tab does not lead to "${name}" ${within} on ${this.page.url()}`);
  }

  /// Follows a link or presses a button by Tab and Enter.
  async press(name, within = "") {
    await this.tabTo(name, within);
    await Promise.all([this.page.waitForNavigation(), this.page.keyboard.press("Enter")]);
  }

  async write(label, text) {
    await this.tabTo(label);
    await this.page.keyboard.type(text);
  }

  /// What is wrong with this page on a telephone and on a desk, by day and by night.
  async look(name) {
    this.looked += 1;
    const where = `${name} (${this.page.url().slice(this.base.length)})`;
    for (const [width, colorScheme] of [[1440, "light"], [800, "light"], [360, "dark"], [360, "light"]]) {
      await this.page.setViewportSize({ width, height: 800 });
      await this.page.emulateMedia({ colorScheme });
      const out = await this.page.evaluate(sticksOut);
      if (out.length) this.wrong.push(`${where} at ${width}: wider than the window: ${out}`);
      // What is broken is broken on a telephone first.
      const wrong = width === 360 ? await this.page.evaluate(faults) : [];
      this.wrong.push(...wrong.map((wrong) => `${where}: ${wrong}`));
      if (this.folder) await this.page.screenshot({ path: `${this.folder}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }

  /// Every link, button and field can be reached by Tab, in the order in which they are read.
  async tabsThrough(name) {
    const stops = () =>
      [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")].filter((one) => one.checkVisibility());
    const count = await this.page.evaluate(`(${stops})().length`);
    await this.page.evaluate(() => document.activeElement.blur());
    for (let stop = 0; stop < count; stop += 1) {
      await this.page.keyboard.press("Tab");
      const at = await this.page.evaluate(`(${stops})().indexOf(document.activeElement)`);
      assert.equal(at, stop, `${name}: Tab ${stop} leads to stop ${at}`);
    }
  }
}
