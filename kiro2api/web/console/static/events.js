// One stream of news from the service for the whole page, opened while somebody is logged in.
import { useEffect } from "./lib.js";
import { session, shared } from "./state.js";

/** Whether news arrive at the moment. */
export const connected = shared(false);

const listeners = new Map();
let source = null;
let retry = 0;

const NAMES = ["hello", "live", "tokens", "record", "stats", "lagging"];

function open() {
  close();
  source = new EventSource("/api/events");
  source.onopen = () => connected.set(true);
  source.onerror = () => {
    connected.set(false);
    // The browser tries again by itself unless the service refused; then we do, but slowly.
    if (source && source.readyState === EventSource.CLOSED) {
      close();
      retry = setTimeout(() => session.get()?.role === "admin" && open(), 10000);
    }
  };
  for (const name of NAMES) {
    source.addEventListener(name, (event) => {
      const value = event.data ? JSON.parse(event.data) : null;
      for (const listener of listeners.get(name) || []) listener(value);
    });
  }
}

function close() {
  clearTimeout(retry);
  if (source) source.close();
  source = null;
  connected.set(false);
}

session.watch((value) => (value && value.role === "admin" ? open() : close()));

/** Call `listener` with each piece of news of that name, while the component is shown. */
export function useNews(name, listener) {
  useEffect(() => {
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name).add(listener);
    return () => listeners.get(name).delete(listener);
  }, [name, listener]);
}
