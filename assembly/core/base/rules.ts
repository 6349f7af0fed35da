// The rules in which the kernels differ that the engine follows. Each stands here once, named by what the
// newer kernel does, with the answers of both; the code elsewhere asks these functions and never the version.

import { HDR_FLAGS, HDR_FLAG_LINUX_7_3 } from "../../abi/header";
import { header } from "./layout";

/** Does the engine answer like Linux 7.3? */
@inline
function newer(): bool {
  return (header(HDR_FLAGS) & HDR_FLAG_LINUX_7_3) != 0;
}
