// The few values that the whole page shares, and the hook that redraws who reads them.
// Nothing secret is kept here or in the browser's storage: the session is a cookie that no script sees.
import { useEffect, useState } from "./lib.js";

/** A value that can be watched. */
export function shared(initial) {
  let value = initial;
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher(value);
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

/** The current value of a shared one, for components. */
export function useShared(source) {
  const [value, set] = useState(source.get());
  useEffect(() => {
    set(source.get());
    return source.watch(set);
  }, [source]);
  return value;
}

/** Who is logged in: {role, name, csrf, expires_at, version}; null for nobody, undefined while unknown. */
export const session = shared(undefined);

/** Where we are: {view, id, query} of an address such as #/requests/req_1?status=500. */
export const place = shared(read_place());

/** Short messages in the corner. */
export const toasts = shared([]);

/** "light", "dark" or "" for the system's. */
export const theme = shared(remembered("theme", ["light", "dark"]));

let toast_number = 0;

/** Say something for a moment; errors stay until they are closed. */
export function tell(text, kind = "good") {
  const id = ++toast_number;
  toasts.set([...toasts.get().slice(-4), { id, text, kind }]);
  if (kind !== "bad") setTimeout(() => hush(id), 4000);
}

export function hush(id) {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

function remembered(name, allowed) {
  try {
    const found = localStorage.getItem(`kiro2api.${name}`);
    return allowed.includes(found) ? found : "";
  } catch {
    return "";
  }
}

/** Keep a harmless choice (theme, language) for the next visit. */
export function remember(name, value) {
  try {
    if (value) localStorage.setItem(`kiro2api.${name}`, value);
    else localStorage.removeItem(`kiro2api.${name}`);
  } catch {
    // A browser without storage forgets, which is all right.
  }
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark now. */
export function is_dark() {
  return theme.get() ? theme.get() === "dark" : dark.matches;
}

function paint() {
  document.documentElement.dataset.theme = is_dark() ? "dark" : "light";
}

dark.addEventListener("change", paint);
theme.watch((value) => {
  remember("theme", value);
  paint();
});
paint();

/** A part of an address as it was meant; a stray % in one that was typed stands for itself. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function read_place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/").map(decoded);
  return { view: view || "dashboard", id: rest.join("/"), query: new URLSearchParams(query) };
}

window.addEventListener("hashchange", () => place.set(read_place()));

/** The address of a view, for links. */
export function address(view, id = "", query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  const tail = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ""}${tail}`;
}

/** Go to a view; with `replace` without a step in the history. */
export function go(view, id = "", query = {}, replace = false) {
  const target = address(view, id, query);
  if (replace) {
    history.replaceState(null, "", target);
    place.set(read_place());
  } else {
    location.hash = target;
  }
}
