/** The pictures of the report's page, in this one. */
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { RunView } from "../../src/report/page/run-view.ts";
import type { Picture } from "../../src/report/picture.ts";

interface PicturesProps {
  picture: Picture;
  /** Whether the run has ended or pauses. */
  whole: boolean;
  /** Is called when a picture of a run that goes on is drawn. */
  drawn: () => void;
}

export function Pictures({ picture, whole, drawn }: PicturesProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<RunView | null>(null);
  useLayoutEffect(() => {
    // The next picture is asked for when this one is drawn.
    if (view.current === null) {
      view.current = new RunView(picture);
      holder.current!.append(...view.current.elements);
      requestAnimationFrame(drawn);
    } else view.current.show(picture, whole, drawn);
  }, [picture, whole]);
  useEffect(() => {
    const redraw = (): void => view.current?.redraw();
    document.addEventListener("themechange", redraw);
    return () => document.removeEventListener("themechange", redraw);
  }, []);
  return <div ref={holder} class="pictures" />;
}
