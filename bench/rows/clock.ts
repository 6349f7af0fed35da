/** S7: what a virtual clock costs: the same simulation with a time model and without. */
import { comparing } from "../comparing.ts";

export default comparing({
  title: "a simulation with a clock",
  rival: "without a clock",
  target: 1.25,
  ours: { time: "pcie3-1080ti" },
  theirs: {},
});
