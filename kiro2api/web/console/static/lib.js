// What every module needs of the vendored library, under one address.
export {
  html, render, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback,
} from "./vendor/htm-preact-3.1.1.js";
