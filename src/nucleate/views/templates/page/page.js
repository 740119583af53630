// Nothing on the page depends on this script but what is live: it was drawn before it came.
import { equipKeys } from "./keys.js";
import { equipList } from "./list.js";
import { equipCurves } from "./curves.js";
import { follow } from "./live.js";

equipKeys();
equipList();
equipCurves();
follow();
