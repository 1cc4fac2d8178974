// Canvases do not follow the style sheet by themselves.
import { useEffect, useState } from "preact/hooks";

export const colour = (variable: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(variable).trim();

// Changes when the reader turns from light to dark or back.
export function useScheme(): boolean {
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return dark;
}
