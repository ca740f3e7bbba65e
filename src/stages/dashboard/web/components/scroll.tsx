import type { ComponentChildren } from 'preact';

/** A part that may be wider than the page: it scrolls by itself, by keyboard too. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section
      class="scroll"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, sideways at least.
      tabIndex={0}
      aria-label={label}
    >
      {children}
    </section>
  );
}
