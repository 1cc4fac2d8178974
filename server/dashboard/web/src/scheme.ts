// Canvases do not follow the style sheet by themselves.
import { useEffect, useState } from "preact/hooks";

export const colour = (variable: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(variable).trim();

// Their sizes follow the reader's letters.
export const rem = (of: number) => Math.round(of * parseFloat(getComputedStyle(document.documentElement).fontSize));

export const canvasFont = () => `${rem(0.75)}px ${getComputedStyle(document.body).fontFamily}`;

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
