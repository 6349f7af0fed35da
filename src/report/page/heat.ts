/** The residency heat map: addresses from top to bottom, time from left to right. */
import type { Picture } from "../picture.ts";
import { color, key, make, part, rgb } from "./dom.ts";
import { inTurn } from "./in-turn.ts";
import type { TimeRange } from "./range.ts";
import { bytes, moment, percent } from "./words.ts";

/** Room for the names of ranges at the left, and for times below. */
const MARGIN = { left: 92, bottom: 20, gap: 3 };
const NARROW_LEFT = 58;

interface Row {
  start: number;
  device: Uint8Array;
  ram: Uint8Array;
  /** The named range, or "". */
  name: string;
}

function decode(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

function rowsOf({ heat, ranges }: Picture): Row[] {
  return heat.rows.map(({ start, device, ram }) => {
    const inside = ranges.find(
      (range) => start < range.start + range.bytes && start + heat.rowBytes > range.start,
    );
    return { start, device: decode(device), ram: decode(ram), name: inside?.name ?? "" };
  });
}

export class HeatMap {
  readonly element: HTMLElement;
  #picture: Picture;
  readonly #range: TimeRange;
  #rows: Row[];
  readonly #canvas = make("canvas", { tabindex: "0", role: "img" });
  readonly #tip = make("div", { class: "tip", hidden: "" });
  /** Rows that are shown. */
  #top = 0;
  #bottom: number;

  /** @param name what the heading calls the run, where there are several; "": it is the only one */
  constructor(picture: Picture, range: TimeRange, name = "") {
    this.#picture = picture;
    this.#range = range;
    this.#rows = rowsOf(picture);
    this.#bottom = this.#rows.length;
    this.#canvas.setAttribute("aria-label", this.#alternative());
    this.#canvas.id = name === "" ? "heat" : `heat-${name}`;
    const button = (text: string, label: string, act: () => void): HTMLElement =>
      make("button", { type: "button", "aria-label": label, click: act }, text);
    const tools = make(
      "div",
      { class: "tools" },
      key("--device", "on the device"),
      key("--ram", "in RAM"),
      key("--empty", "nowhere"),
      make("span", { class: "spacer" }),
      make(
        "span",
        { class: "zoom" },
        button("+", "zoom in", () => this.#zoom(0.5)),
        button("−", "zoom out", () => this.#zoom(2)),
        button("all", "show all", () => this.#all()),
      ),
    );
    const holder = make("div", { class: "heat" }, this.#canvas, this.#tip);
    this.element = part(
      "figure",
      name === "" ? "Where memory lies" : `Where memory lay ${name}`,
      this.#about(),
      tools,
      holder,
    );
    this.#listen();
    range.follow(() => this.draw());
    // A frame that lays the whole page out has enough to do.
    new ResizeObserver(() => inTurn(() => this.draw())).observe(this.#canvas);
  }

  /** Takes a newer picture of the same run, which draw() shows. */
  take(picture: Picture): void {
    const all = this.#top === 0 && this.#bottom === this.#rows.length;
    this.#picture = picture;
    this.#rows = rowsOf(picture);
    if (all || this.#bottom > this.#rows.length) {
      this.#top = 0;
      this.#bottom = this.#rows.length;
    }
    this.#canvas.setAttribute("aria-label", this.#alternative());
    this.element.querySelector("figcaption p")!.textContent = this.#about();
  }

  /** Draws what is shown, in the colors of the theme. */
  draw(): void {
    const canvas = this.#canvas;
    const scale = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d")!;
    context.scale(scale, scale);
    this.#drawCells(context, width, height);
    this.#drawNames(context, width, height);
    this.#drawTimes(context, width, height);
  }

  get #left(): number {
    return this.#canvas.clientWidth < 560 ? NARROW_LEFT : MARGIN.left;
  }

  #drawCells(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { axis } = this.#picture;
    const { from, to } = this.#range;
    const rows = this.#bottom - this.#top;
    const [plotWidth, plotHeight] = [width - this.#left, height - MARGIN.bottom];
    const across = Math.max(1, Math.round(plotWidth * devicePixelRatio));
    const columns = Array.from({ length: across }, (_, x) =>
      Math.min(axis.columns - 1, Math.floor((from + ((to - from) * (x + 0.5)) / across) / axis.width)),
    );
    const image = new ImageData(across, Math.max(1, rows));
    const { data } = image;
    const [empty, ram, device] = [rgb("--empty"), rgb("--ram"), rgb("--device")];
    for (let y = 0, at = 0; y < rows; y++) {
      const row = this.#rows[this.#top + y];
      for (const column of columns) {
        const [onDevice, inRam] = [row.device[column], row.ram[column]];
        const nowhere = Math.max(0, 255 - onDevice - inRam);
        for (let i = 0; i < 3; i++)
          data[at++] = (device[i] * onDevice + ram[i] * inRam + empty[i] * nowhere) / 255;
        data[at++] = 255;
      }
    }
    const cells = make("canvas");
    cells.width = across;
    cells.height = image.height;
    cells.getContext("2d")!.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(cells, this.#left, 0, plotWidth, plotHeight);
  }

  /** Names at the side, and a line where a range ends. */
  #drawNames(context: CanvasRenderingContext2D, width: number, height: number): void {
    const rows = this.#rows.slice(this.#top, this.#bottom);
    const each = (height - MARGIN.bottom) / Math.max(1, rows.length);
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    let lowest = -Infinity;
    for (let from = 0; from < rows.length;) {
      let to = from + 1;
      while (to < rows.length && rows[to].name === rows[from].name) to++;
      context.strokeStyle = color("--back");
      if (from > 0) context.strokeRect(this.#left, from * each, width - this.#left, 0);
      const middle = ((from + to) / 2) * each;
      const name = rows[from].name === "" ? `0x${rows[from].start.toString(16)}` : rows[from].name;
      context.fillStyle = color(rows[from].name === "" ? "--dim" : "--text");
      if (middle > lowest + 13) {
        context.fillText(name, this.#left - 8, middle, this.#left - 10);
        lowest = middle;
      }
      from = to;
    }
  }

  #drawTimes(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { from, to } = this.#range;
    const { unit } = this.#picture.axis;
    context.fillStyle = color("--dim");
    context.textBaseline = "bottom";
    const steps = width < 560 ? 2 : 4;
    for (let i = 0; i <= steps; i++) {
      context.textAlign = i === 0 ? "left" : i === steps ? "right" : "center";
      const x = this.#left + ((width - this.#left) * i) / steps;
      context.fillText(moment(from + ((to - from) * i) / steps, unit), x, height);
    }
  }

  #zoom(factor: number, around?: number): void {
    this.#range.zoom(factor, around);
  }

  #all(): void {
    this.#top = 0;
    this.#bottom = this.#rows.length;
    this.#range.show(0, this.#range.end);
    this.draw();
  }

  /** Shows fewer rows, more, or others. */
  #scroll(by: number, factor = 1): void {
    const rows = this.#bottom - this.#top;
    const shown = Math.min(this.#rows.length, Math.max(2, Math.round(rows * factor)));
    const middle = (this.#top + this.#bottom) / 2 + by * rows;
    this.#top = Math.max(0, Math.min(this.#rows.length - shown, Math.round(middle - shown / 2)));
    this.#bottom = this.#top + shown;
    this.draw();
  }

  /** The time at a point of the canvas. */
  #timeAt(x: number): number {
    const { from, to } = this.#range;
    const share = (x - this.#left) / (this.#canvas.clientWidth - this.#left);
    return from + (to - from) * Math.min(1, Math.max(0, share));
  }

  #listen(): void {
    const canvas = this.#canvas;
    let start: number | null = null;
    canvas.addEventListener("pointerdown", ({ offsetX }) => (start = offsetX));
    canvas.addEventListener("pointermove", (event) => this.#hover(event));
    canvas.addEventListener("pointerleave", () => (this.#tip.hidden = true));
    canvas.addEventListener("pointerup", ({ offsetX }) => {
      if (start !== null && Math.abs(offsetX - start) > 4) {
        const [from, to] = [start, offsetX].sort((a, b) => a - b).map((x) => this.#timeAt(x));
        this.#range.show(from, to);
      }
      start = null;
    });
    canvas.addEventListener("dblclick", () => this.#all());
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.shiftKey && document.activeElement !== canvas) return;
        event.preventDefault();
        this.#zoom(event.deltaY > 0 ? 1.25 : 0.8, this.#timeAt(event.offsetX));
      },
      { passive: false },
    );
    const keys: Record<string, () => void> = {
      "+": () => this.#zoom(0.5),
      "=": () => this.#zoom(0.5),
      "-": () => this.#zoom(2),
      "0": () => this.#all(),
      ArrowLeft: () => this.#range.pan(-0.25),
      ArrowRight: () => this.#range.pan(0.25),
      ArrowUp: () => this.#scroll(-0.25),
      ArrowDown: () => this.#scroll(0.25),
      PageUp: () => this.#scroll(0, 0.5),
      PageDown: () => this.#scroll(0, 2),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  #hover({ offsetX, offsetY }: PointerEvent): void {
    const { axis, heat } = this.#picture;
    const height = this.#canvas.clientHeight - MARGIN.bottom;
    const row = this.#rows[this.#top + Math.floor((offsetY / height) * (this.#bottom - this.#top))];
    this.#tip.hidden = row === undefined || offsetX < this.#left;
    if (row === undefined) return;
    const time = this.#timeAt(offsetX);
    const column = Math.min(axis.columns - 1, Math.floor(time / axis.width));
    const end = row.start + heat.rowBytes;
    this.#tip.textContent =
      `${row.name === "" ? "" : `${row.name}  `}0x${row.start.toString(16)}–0x${end.toString(16)}\n` +
      `${moment(time, axis.unit)}: device ${percent(row.device[column] / 255)}, ` +
      `RAM ${percent(row.ram[column] / 255)}`;
    const right = offsetX > this.#canvas.clientWidth / 2;
    this.#tip.style.left = right ? "" : `${offsetX + 12}px`;
    this.#tip.style.right = right ? `${this.#canvas.clientWidth - offsetX + 12}px` : "";
    this.#tip.style.top = `${Math.max(0, offsetY - 44)}px`;
  }

  /** What a row is, and how to look closer. */
  #about(): string {
    return (
      `Each row is ${bytes(this.#picture.heat.rowBytes)} of addresses; untouched ones have none. ` +
      "Drag to zoom into times, or use the keys + − 0 and the arrows."
    );
  }

  /** What the picture shows, in words. */
  #alternative(): string {
    const last = this.#picture.axis.columns - 1;
    const share = (rows: readonly Row[]): string => {
      const mean = rows.reduce((sum, { device }) => sum + device[last] / 255, 0) / Math.max(1, rows.length);
      return percent(mean);
    };
    const names = [...new Set(this.#rows.map(({ name }) => name))];
    const parts = names.map((name) => {
      const rows = this.#rows.filter((row) => row.name === name);
      return `${name === "" ? "other memory" : name}: ${share(rows)}`;
    });
    return `Heat map of where pages lie over time. On the device at the end: ${parts.join(", ")}.`;
  }
}
