/** Random accesses to devices with managed memory that have no links, or some. */
import { suite } from "uvu";
import { testRandom } from "./managed-random.ts";

const devices = suite("sim: random accesses to devices with managed memory");
testRandom(devices, {
  "no links": {},
  "access over some links": { peers: ["1-2", "2-3"], peerFault: "access" },
  "read-mostly": { peers: ["1-2"], advise: ["a=read-mostly"] },
});
devices.run();
