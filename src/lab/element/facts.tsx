import type { JSX } from "preact";
import type { LabState, MigrationState } from "../state.ts";

interface Props {
  readonly state: LabState;
  readonly changed: ReadonlySet<string>;
}

/** Mappings, counts, locks and the notifier sequence. */
export function Facts({ state, changed }: Props): JSX.Element {
  const { memcg } = state;
  const cell = (key: string): string => (changed.has(key) ? "new" : "");
  return (
    <section class="facts" aria-labelledby="facts-title">
      <h3 id="facts-title">Processes</h3>
      <div class="scroll" tabIndex={0} role="group" aria-labelledby="facts-title">
        <table aria-labelledby="facts-title">
          <thead>
            <tr>
              <th scope="col">process</th>
              <th scope="col">rss</th>
              <th scope="col">swap</th>
              <th scope="col">sequence</th>
              <th scope="col">mmap_sem</th>
              <th scope="col">mappings</th>
            </tr>
          </thead>
          <tbody>
            {state.processes.map(({ number, rss, seq, windows, sem, vmas }) => (
              <tr key={number}>
                <th scope="row">{number}</th>
                <td class={cell(`rss.${number}`)}>{rss.anon}</td>
                <td class={cell(`swap.${number}`)}>{rss.swap}</td>
                <td class={cell(`seq.${number}`)}>
                  {seq}
                  {windows > 0 && " (changing)"}
                </td>
                <td class={cell(`sem.${number}`)}>{sem || "free"}</td>
                <td>
                  {vmas.map(({ pages, text }) => (
                    <span key={pages} class={`vma ${cell(`vma.${number}.${pages}`)}`} title={text}>
                      {pages} <small>{protection(text)}</small>
                    </span>
                  ))}
                  {vmas.length === 0 && "none"}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class={`memcg ${cell("memcg")}`}>
        Charged to the memory cgroup: <b>{memcg.usage}</b> pages
        {memcg.limit > 0 && ` of ${memcg.limit}`}
      </p>
    </section>
  );
}

/** "rw-", "r--" or "---". */
function protection(text: string): string {
  const words = text.split(" ");
  const read = words.includes("read") ? "r" : "-";
  const write = words.includes("write") ? "w" : "-";
  return `${read}${write}${words.includes("hugepage") ? " huge" : ""}`;
}

/** The words of an open migration. */
export function MigrationView({
  migration,
  changed,
}: { migration: MigrationState } & Omit<Props, "state">): JSX.Element {
  const { id, title, slots } = migration;
  return (
    <section class="migration" aria-labelledby={`migration-${id}`}>
      <h3 id={`migration-${id}`}>{title}</h3>
      <div class="scroll" tabIndex={0} role="group" aria-labelledby={`migration-${id}`}>
        <table aria-labelledby={`migration-${id}`}>
          <thead>
            <tr>
              <th scope="col">slot</th>
              <th scope="col">src</th>
              <th scope="col">dst</th>
              <th scope="col">stays because</th>
            </tr>
          </thead>
          <tbody>
            {slots.map(({ name, src, dst, reason }, i) => (
              <tr key={name} class={changed.has(`slot.${id}.${i}`) ? "new" : ""}>
                <th scope="row">{name}</th>
                <td>
                  <code>{src}</code>
                </td>
                <td>
                  <code>{dst}</code>
                </td>
                <td>{reason || "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
