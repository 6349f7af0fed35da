/** Work of the page that is done between frames, so that none of them has to wait long. */

/** What is to be done, in order. */
const steps: (() => void)[] = [];

/** Does something after all that was asked for before. Each step comes between two frames. */
export function inTurn(step: () => void): void {
  steps.push(step);
  if (steps.length === 1) next();
}

function next(): void {
  requestAnimationFrame(() =>
    setTimeout(() => {
      try {
        steps[0]();
      } finally {
        steps.shift();
        if (steps.length > 0) next();
      }
    }),
  );
}
