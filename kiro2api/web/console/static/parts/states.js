// The states of an account, in the order in which they worry, and their colours.
export const STATES = ["ready", "cooling", "exhausted", "rejected", "suspended", "disabled"];

const TONES = { ready: "good", busy: "info", probing: "info", cooling: "warn", exhausted: "warn", rejected: "bad", suspended: "bad", disabled: "" };

export const tone_of = (state) => TONES[state] ?? "";

/** What is shown of an account: of a ready one also that it is only being tried, or at its limit. */
export const state_of = (row) => (row.status !== "ready" ? row.status : row.probing ? "probing" : row.busy ? "busy" : "ready");
