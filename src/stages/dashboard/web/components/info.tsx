import { useMemo } from 'preact/hooks';
import { texts } from '../settings.ts';
import type { Texts } from '../text.ts';

export type Defined = keyof Texts['define'];

const EDGE_PX = 8;

/** Near the right edge the text opens to the left. */
function flip(details: HTMLDetailsElement): void {
  details.dataset['flip'] = 'false';
  const box = details.querySelector('p')?.getBoundingClientRect();
  details.dataset['flip'] = String(details.open && box !== undefined && box.right > innerWidth - EDGE_PX);
}

const close = (details: HTMLDetailsElement): void => {
  details.open = false;
  details.querySelector('summary')?.focus();
};

/** Says how a figure is made. One at a time is open; Escape closes it. */
export function Info({ of, name }: { of: Defined; name: string }) {
  const t = texts.value;
  // It stands beside numbers that change ten times a second, and never changes.
  return useMemo(
    () => (
      <details
        class="info"
        name="info"
        onToggle={({ currentTarget }) => flip(currentTarget)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') close(event.currentTarget);
        }}
      >
        <summary aria-label={t.whatIs(name)} title={t.define[of]}>
          ?
        </summary>
        <p>{t.define[of]}</p>
      </details>
    ),
    [t, of, name],
  );
}
