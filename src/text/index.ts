/**
 * Loads the text module (assembly/text) and types its exports, whose arguments and results as-bind converts.
 * Only heteromem/sim and the command use it: the engine's entries never reach this folder, which test/tidy
 * checks.
 */
import binary from "#text.wasm";
import { wasmBytes } from "../engine/wasm-bytes.ts";
import { bind } from "./bind.ts";

/** The exports of assembly/text/index.ts, which describes each. `handle` names a decoder. */
export interface TextModule {
  /** A WebAssembly.Memory, whose type not every consumer declares. */
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  lackeyOpen(
    capacity: number,
    starts: Float64Array,
    ends: Float64Array,
    calls: number,
    skipForeign: boolean,
    pid: number,
    currentPid: number,
    runs: boolean,
  ): number;
  lackeyClose(handle: number): void;
  lackeyInput(handle: number): number;
  lackeyOutput(handle: number): number;
  lackeyDecode(handle: number, length: number): number;
  lackeyMore(handle: number): number;
  lackeyEnd(handle: number): number;
  lackeyPending(handle: number): boolean;
  lackeyErrorKind(handle: number): number;
  lackeyError(handle: number): string;
  lackeyCounts(handle: number): Float64Array;
  lackeyProcesses(handle: number): Float64Array;
  lackeyEntries(handle: number): Float64Array;
  hmtOpen(): number;
  hmtClose(handle: number): void;
  hmtStored(handle: number): number;
  hmtPlain(handle: number): number;
  hmtParts(handle: number): number;
  hmtJoin(handle: number, front: number, length: number): boolean;
  hmtOutput(handle: number): number;
  hmtEvents(handle: number): number;
  hmtEventCount(handle: number): number;
  hmtChecks(handle: number, length: number): boolean;
  hmtDecode(handle: number, packed: boolean, length: number, count: number, thread: number): number;
  hmtError(handle: number): string;
  hmtWriteOpen(): number;
  hmtWriteClose(handle: number): void;
  hmtWriteInput(handle: number): number;
  hmtWriteBlock(handle: number): number;
  hmtWriteEvents(handle: number): number;
  hmtWriteMarks(handle: number): number;
  hmtWriteCount(handle: number): number;
  hmtWriteEventCount(handle: number): number;
  hmtWriteTake(handle: number, added: number): number;
  hmtWriteEncode(handle: number): number;
  hmtWriteSplit(handle: number, length: number, whole: boolean): number;
  hmtWriteParts(handle: number): number;
  hmtWriteThread(handle: number): number;
  hmtWriteNext(handle: number): void;
  hmtWriteSum(handle: number, length: number): number;
  hmtWriteThreads(handle: number): number;
  traceOpen(format: number, capacity: number, decimal: boolean, size: number, runs: boolean): number;
  traceClose(handle: number): void;
  traceInput(handle: number): number;
  traceOutput(handle: number): number;
  traceDecode(handle: number, length: number): number;
  traceEnd(handle: number): number;
  tracePending(handle: number): number;
  traceError(handle: number): number;
  traceShown(handle: number): string;
  traceCounts(handle: number): Float64Array;
  /** Collects what earlier calls left in the module's heap; nothing else does. */
  __collect(): void;
}

/** Returns a new instance of the text module, with a memory of its own. */
export function loadText(): TextModule {
  return bind<TextModule>(wasmBytes(binary));
}
