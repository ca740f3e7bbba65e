import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type SignInFault, signIn } from '../session.ts';
import { texts } from '../settings.ts';
import { Brand, LanguageButton, ThemeButton } from './header.tsx';

function faultText(fault: SignInFault): string {
  const t = texts.value;
  if (typeof fault === 'number') return t.signInLater(fault);
  return fault === 'wrong' ? t.signInWrong : t.signInFailed;
}

/** Stands in the page's place, at the page's address, until somebody has signed in. */
export function SignIn() {
  const t = texts.value;
  const fault = useSignal<SignInFault | null>(null);
  const isBusy = useSignal(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (isBusy.value) return;
    const form = event.currentTarget as HTMLFormElement;
    const given = new FormData(form);
    isBusy.value = true;
    fault.value = await signIn(String(given.get('name')), String(given.get('password')));
    isBusy.value = false;
    if (fault.value !== null) form.querySelector<HTMLInputElement>('[type=password]')?.select();
  };
  return (
    <main class="sign-in">
      <form aria-labelledby="sign-in-title" onSubmit={(event) => void submit(event)}>
        <Brand />
        <h2 id="sign-in-title">{t.signIn}</h2>
        <label>
          {t.userName}
          <input
            ref={first}
            class="control"
            name="name"
            autocomplete="username"
            autocapitalize="none"
            required
            maxLength={63}
          />
        </label>
        <label>
          {t.password}
          <input
            class="control"
            type="password"
            name="password"
            autocomplete="current-password"
            required
            aria-invalid={fault.value === 'wrong'}
          />
        </label>
        <p class="fault" role="alert">
          {fault.value !== null && faultText(fault.value)}
        </p>
        <button type="submit" class="control" aria-busy={isBusy.value}>
          {t.signIn}
        </button>
      </form>
      <div class="controls">
        <LanguageButton />
        <ThemeButton />
      </div>
    </main>
  );
}
