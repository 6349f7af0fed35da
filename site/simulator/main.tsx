/** The simulator's page. */
import { render } from "preact";

render(<p class="lead">The simulator is not built yet.</p>, document.getElementById("simulator")!);
