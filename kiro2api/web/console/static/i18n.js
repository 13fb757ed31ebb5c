// Words in the reader's language. Keys are the same in every dictionary, which a test checks.
import * as figures from "./i18n/figures.js";
import * as frame from "./i18n/frame.js";
import * as dashboard from "./i18n/dashboard.js";
import * as accounts from "./i18n/accounts.js";
import * as groups from "./i18n/groups.js";
import * as keys from "./i18n/keys.js";
import * as requests from "./i18n/requests.js";
import * as captures from "./i18n/captures.js";
import * as explain from "./i18n/explain.js";
import * as settings from "./i18n/settings.js";
import * as connect from "./i18n/connect.js";
import * as audit from "./i18n/audit.js";
import * as usage from "./i18n/usage.js";
import { remember, shared } from "./state.js";

const PAGES = [frame, figures, dashboard, accounts, groups, keys, requests, captures, explain, settings, connect, audit, usage];
const en = Object.assign({}, ...PAGES.map((page) => page.en));
const zh = Object.assign({}, ...PAGES.map((page) => page.zh));
const WORDS = { en, zh };
export const LANGUAGES = [["en", "English"], ["zh", "中文"]];

function first_language() {
  try {
    const chosen = localStorage.getItem("kiro2api.language");
    if (chosen in WORDS) return chosen;
  } catch {
    // Without storage the browser's own wish counts.
  }
  for (const wish of navigator.languages || [navigator.language || "en"]) {
    const short = wish.slice(0, 2).toLowerCase();
    if (short in WORDS) return short;
  }
  return "en";
}

export const language = shared(first_language());

function mark() {
  document.documentElement.lang = language.get() === "zh" ? "zh-CN" : "en";
}

language.watch((value) => {
  remember("language", value);
  mark();
});
mark();

/** The words of a key, with {name} replaced by values. A key nobody knows shows itself. */
export function t(key, values = {}) {
  const found = WORDS[language.get()][key] ?? en[key] ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

/** The words of an enumerated value, such as a state: the value itself where there are none. */
export function word(kind, value) {
  const key = `${kind}.${value}`;
  return WORDS[language.get()][key] ?? en[key] ?? String(value);
}

const locale = () => (language.get() === "zh" ? "zh-CN" : "en-GB");

/** A number with the reader's separators. */
export function number(value, digits = 0) {
  if (value == null) return "–";
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

/** A large count in few characters: 12.3K, 4.56M. */
export function compact(value) {
  if (value == null) return "–";
  // Not the British form, whose m for a million reads like minutes.
  return new Intl.NumberFormat(language.get() === "zh" ? "zh-CN" : "en", { notation: "compact", ...(Math.abs(value) < 1000 ? { maximumFractionDigits: 1 } : { maximumSignificantDigits: 3 }) }).format(value);
}

export function percent(share, digits = 1) {
  if (share == null) return "–";
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: digits }).format(share);
}

/** A duration in the largest unit that fits: [count, unit]. */
function span(seconds) {
  const value = Math.abs(seconds);
  if (value < 1) return [Math.round(value * 1000), "millisecond"];
  if (value < 60) return [value < 10 ? Math.round(value * 10) / 10 : Math.round(value), "second"];
  if (value < 3600) return [Math.round(value / 60), "minute"];
  if (value < 172800) return [value < 36000 ? Math.round(value / 360) / 10 : Math.round(value / 3600), "hour"];
  return [Math.round(value / 86400), "day"];
}

/** Seconds as a duration: 340ms, 2.1s, 3m, 5h, 2d. */
export function duration(seconds) {
  if (seconds == null) return "–";
  const [count, unit] = span(seconds);
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "narrow" }).format(count);
}

/** A moment in the reader's own time zone. */
export function moment(text, parts = { dateStyle: "medium", timeStyle: "short" }) {
  if (!text) return "–";
  return new Intl.DateTimeFormat(locale(), parts).format(new Date(text));
}

/** How far away a moment is: "in 3 hours", "5 minutes ago". */
export function distance(text) {
  if (!text) return "–";
  const seconds = (new Date(text) - Date.now()) / 1000;
  const [count, unit] = Math.abs(seconds) < 1 ? [0, "second"] : span(seconds);
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  return words.format(Math.round(Math.sign(seconds) * count), unit);
}
