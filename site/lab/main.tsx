/** The lab's page. */
import { render } from "preact";

render(<p class="lead">The lab is not built yet.</p>, document.getElementById("lab")!);
