/** What tools/check-loading.mjs runs: a page goes to a device and back, and a workload is simulated. */
import { Hmm, MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PROT_READ, PROT_WRITE } from "heteromem";
import { Dmirror, DmirrorDevice } from "heteromem/dmirror";
import { openWorkload, simulate } from "heteromem/sim";

/** Returns what happened, in lines. */
export async function program() {
  const hmm = await Hmm.create({ systemMemory: 16 << 20, deviceMemory: 4 << 20 });
  const mm = hmm.createMm();
  const prot = PROT_READ | PROT_WRITE;
  const address = mm.mmap({ length: 4 * PAGE_SIZE, prot, flags: MAP_PRIVATE | MAP_ANONYMOUS });
  mm.write(address, new Uint8Array(4 * PAGE_SIZE).fill(7));
  const mirror = new Dmirror(mm, { device: new DmirrorDevice(hmm, { memory: 4 << 20 }) });
  const { cpages } = mirror.migrateToDevice(address, 4);
  const word = mm.load32(address).toString(16);
  hmm.verify();
  const workload = openWorkload("stencil2d:size=1MiB");
  const config = { systemMemory: "16MiB", deviceMemory: "512KiB", time: "pcie3-1080ti" };
  const { faults, evictions, timing } = await simulate(workload, config);
  return [
    `${cpages} pages to the device, the CPU reads ${word}`,
    `${faults.device} device faults, ${evictions} evictions, ${timing.total} ps`,
  ].join("\n");
}
