// Calls to the service. The cookie goes along by itself; what changes anything carries the token
// against forged requests. A refused session ends it here, in one place.
import { useCallback, useEffect, useRef, useState } from "./lib.js";
import { session } from "./state.js";

/** A failed call: `status`, the service's words, and `param`, the field at fault. */
export class Refused extends Error {
  constructor(status, message, param = "", body = null) {
    super(message);
    this.status = status;
    this.param = param;
    this.body = body;
  }
}

/** Call the service; gives the decoded body (null for none). Throws Refused. */
export async function call(method, path, body, options = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const known = session.get();
  if (known && method !== "GET") headers["X-CSRF-Token"] = known.csrf;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: options.signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "unreachable");
  }
  const text = await response.text();
  let value = null;
  if (text) {
    try {
      value = JSON.parse(text);
    } catch {
      value = { error: { message: text.slice(0, 300) } };
    }
  }
  if (response.ok) return value;
  if (response.status === 401 && known && !options.quiet) session.set(null);
  const error = (value && value.error) || {};
  const message = typeof error === "string" ? error : error.message || response.statusText;
  const param = (value && value.param) || error.param || "";
  throw new Refused(response.status, message, param, value);
}

/** Where all groups are told; there are never more than one page of this size. */
export const ALL_GROUPS = "/api/groups?page_size=500";

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body = {}) => call("POST", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const put = (path, body) => call("PUT", path, body);
export const del = (path) => call("DELETE", path);

/** A path with its query; what is empty is left out. */
export function query(path, values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value != null);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/**
 * A list that grows at its head, fetched a page at a time: {items, more, again, older, error, loading}.
 * `mark` gives of an answer where the next page begins, null at the end.
 */
export function usePages(path, mark) {
  const [state, set] = useState({ items: [], next: null, error: null, loading: true });
  const asked = useRef(0);
  const fetch_page = useCallback(async (before) => {
    const mine = ++asked.current;
    set((old) => ({ ...old, loading: true }));
    try {
      const found = await get(before ? `${path}&before=${before}` : path);
      if (mine !== asked.current) return;
      set((old) => ({ items: before ? [...old.items, ...found.items] : found.items, next: mark(found) ?? null, error: null, loading: false }));
    } catch (error) {
      if (mine === asked.current) set((old) => ({ ...old, error, loading: false }));
    }
  }, [path]);
  useEffect(() => {
    fetch_page(null);
    return () => { asked.current += 1; };
  }, [fetch_page]);
  return { ...state, again: () => fetch_page(null), older: () => fetch_page(state.next) };
}

/**
 * What is at a path, for components: {data, error, loading, again}. It is asked for again when the
 * path changes; the old data stays until the new is there.
 */
export function useData(path) {
  const [state, set] = useState({ data: null, error: null, loading: Boolean(path) });
  const asked = useRef(0);
  const again = useCallback(async () => {
    if (!path) return;
    const mine = ++asked.current;
    set((old) => ({ ...old, loading: true }));
    try {
      const data = await get(path);
      if (mine === asked.current) set({ data, error: null, loading: false });
    } catch (error) {
      if (mine === asked.current) set((old) => ({ data: old.data, error, loading: false }));
    }
  }, [path]);
  useEffect(() => {
    again();
    return () => { asked.current += 1; };
  }, [again]);
  return { ...state, again };
}
