// The states of an account, in the order in which they worry, and their colours.
export const STATES = ["ready", "busy", "probing", "cooling", "exhausted", "rejected", "suspended", "disabled"];

const TONES = { ready: "good", busy: "info", probing: "info", cooling: "warn", exhausted: "warn", rejected: "bad", suspended: "bad", disabled: "" };

export const tone_of = (state) => TONES[state] ?? "";
