// Named checks, one after the other, written as TAP (https://testanything.org): what holds, what does not, and why not.

/// How long one check may take.
const PATIENCE_MS = 150_000;

export class Report {
  #checks = 0;
  #failures = [];

  /// Says what the next checks are about.
  about(subject) {
    console.log(`# ${subject}`);
  }

  /// Something worth reading beside the checks.
  note(text) {
    console.log(`#   ${text}`);
  }

  /// Runs a check, which fails by throwing; answers what it answers, or undefined.
  async check(name, body) {
    this.#checks += 1;
    try {
      const answer = await within(PATIENCE_MS, name, body);
      console.log(`ok ${this.#checks} - ${name}`);
      return answer;
    } catch (error) {
      this.#failures.push(name);
      console.log(`not ok ${this.#checks} - ${name}\n  ---\n${indented(reason(error))}\n  ...`);
      return undefined;
    }
  }

  /// Ends the report; answers the exit code.
  end() {
    console.log(`1..${this.#checks}`);
    this.#failures.forEach((name) => console.log(`# failed: ${name}`));
    return this.#failures.length === 0 && this.#checks > 0 ? 0 : 1;
  }
}

/// Fails when a promise takes too long.
export async function within(milliseconds, what, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${milliseconds / 1000} s for: ${what}`)), milliseconds);
  });
  try {
    return await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function reason(error) {
  const text = error instanceof Error ? error.message : String(error);
  const where =
    error instanceof Error ? (error.stack ?? '').split('\n').find((line) => line.includes('.mjs')) : undefined;
  return where === undefined ? text : `${text}\n${where.trim()}`;
}

function indented(text) {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
