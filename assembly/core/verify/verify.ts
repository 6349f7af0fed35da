// verify(): checks every invariant of the engine by looking at everything.

import { HDR_CMD_DEPTH, HDR_EXTERNAL_REFS, HDR_VERIFY_CODE } from "../../abi/header";
import { RESOURCE_DEVICE_TABLE, RESOURCE_MIGRATION, RESOURCE_MM } from "../../abi/pool";
import { VERIFY_ARENA, VERIFY_OK, VERIFY_RMAP } from "../../abi/verify";
import { arenaCheck } from "../base/arena";
import { header, setHeader } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh, poolUsed } from "../base/pool";
import { deviceTableOf } from "../space/device-table";
import { mmOf } from "../space/mm";
import { broken } from "./broken";
import { shareEntries } from "./entries";
import { ksmCheck } from "./ksm";
import { checkMirror, checkRss, checkVmas } from "./spaces";
import { checkFolios, checkGroups, checkPools, checkZones } from "./zones";

/**
 * Checks everything. Returns VERIFY_OK, or the first invariant that is broken; the header then has its
 * numbers.
 */
export function verify(): i32 {
  setHeader(HDR_VERIFY_CODE, VERIFY_OK);
  const migrations = poolUsed(RESOURCE_MIGRATION);
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MM); id++) {
    const mm = mmOf(id);
    if (!exists(mm)) continue;
    checkVmas(mm, id);
    checkRss(mm, id);
  }
  const busy = migrations != 0 || header(HDR_CMD_DEPTH) != 0 || header(HDR_EXTERNAL_REFS) != 0;
  shareEntries(-1, migrations != 0);
  checkFolios(busy);
  shareEntries(1, false);
  checkZones();
  checkGroups();
  checkPools();
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_DEVICE_TABLE); id++) {
    const table = deviceTableOf(id);
    if (exists(table) && table.mm) checkMirror(table, migrations != 0);
  }
  const lost = ksmCheck();
  if (lost) broken(VERIFY_RMAP, 0, 0, lost);
  const hole = arenaCheck();
  if (hole) broken(VERIFY_ARENA, 0, hole);
  return header(HDR_VERIFY_CODE);
}
