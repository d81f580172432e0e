// What redactSecrets costs: its budgets, and how it grows with text and secrets. Prints a line of JSON.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OAuthCredential, StaticCredential } from 'mcp-credentials';
import { redactSecrets } from 'mcp-credentials/redact';
import { measure, median } from './measure.js';
const options = JSON.parse(process.argv[2] ?? '{}');
const ROUNDS = options.rounds ?? 15;
function millisecondsOf(run) {
    run();
    return median(Array.from({ length: ROUNDS }, () => {
        const start = performance.now();
        run();
        return performance.now() - start;
    }));
}
// Seeded, so that runs can be compared.
let state = 1;
const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const TOKEN = `${LETTERS}${LETTERS.toUpperCase()}0123456789`;
const word = (length, from = LETTERS) => Array.from({ length }, () => from[Math.floor(random() * from.length)]).join('');
const textOf = (length) => Array.from({ length: length / 4 }, () => word(3 + Math.floor(random() * 6)))
    .join(' ')
    .slice(0, length);
const fieldsOf = (count, length) => new StaticCredential(Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, word(length, TOKEN)])));
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
/** A megabyte of files of a name, as they lie there. */
function filesOf(name) {
    let text = '';
    for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true })) {
        if (text.length >= 1e6)
            break;
        if (entry.isFile() && name.test(entry.name))
            text += readFileSync(join(entry.parentPath, entry.name), 'utf8');
    }
    // Joined texts are slow to read until something has needed them whole.
    return Buffer.from(text.slice(0, 1e6)).toString();
}
const again = (run) => (times) => {
    for (let turn = 0; turn < times; turn++)
        run();
};
const three = fieldsOf(3, 40);
const hash = (text) => createHash('sha256').update(text).digest('hex');
const hashes = JSON.stringify(Array.from({ length: 9000 }, (_, id) => ({ id, hash: hash(`${id}`), name: word(8) })));
const percent = Array.from({ length: 333_333 }, () => `%${(32 + random() * 95).toString(16).slice(0, 2)}`);
const passwords = new StaticCredential({ password: 'p4$s!w0rd#X9@zq', pin: 'Xq7Kp2Zw' });
const texts = {
    'prose, three tokens of 40 characters': [textOf(1e6), three],
    READMEs: [filesOf(/^readme\.md$/i), three],
    'JSON full of escapes': [JSON.stringify(JSON.stringify(filesOf(/\.json$/))).slice(0, 1e6), three],
    'nothing but %XX': [percent.join(''), three],
    'JSON with hashes, a password and a secret of 8 characters': [hashes.slice(0, 1e6), passwords],
};
/** To one search for a needle whose first letter is in the text, which no engine skips over by that alone. */
const budgets = {};
for (const [name, [text, credential]] of Object.entries(texts)) {
    const needle = `e${word(39, TOKEN)}`;
    budgets[`1 MB of ${name}`] = await measure(again(() => redactSecrets(text, credential)), again(() => text.includes(needle)), options);
}
const small = JSON.stringify([
    ...Array.from({ length: 30 }, (_, id) => ({ id, name: word(6), note: `${word(9)} ${word(8)}` })),
    { hash: hash('small') },
]).slice(0, 2000);
let serial = 0;
const fresh = (length) => `${word(length - 7, TOKEN)}${1_000_000 + serial++}`;
const pool = (length) => Array.from({ length: 5000 }, () => fresh(length));
const [long, usual] = [pool(128), pool(40)];
const makers = {
    'a token of 128 characters': (turn) => new OAuthCredential({ accessToken: long[turn % 5000] ?? '' }),
    'a token of 40 characters': (turn) => new OAuthCredential({ accessToken: usual[turn % 5000] ?? '' }),
    'a password': (turn) => new StaticCredential({ password: `p4$s!w0rd#X9@${1_000_000 + turn}` }),
};
/** To making the credential without scrubbing. */
const news = {};
for (const [name, make] of Object.entries(makers)) {
    let turn = 0;
    news[`2 KB of JSON with a hash, ${name} that is new`] = await measure(again(() => redactSecrets(small, make(turn++))), again(() => make(turn++)), options);
}
const row = (name, units, run) => {
    const milliseconds = millisecondsOf(run);
    return { name, milliseconds, each: (milliseconds * 1e6) / units };
};
const lengths = [];
for (const count of [1, 10, 50]) {
    const credential = fieldsOf(count, 40);
    for (const length of [1e3, 1e4, 1e5, 1e6, 1e7]) {
        const text = textOf(length);
        const leaky = text.slice(0, length / 2) + credential.field('f0') + text.slice(length / 2);
        const label = `${length.toLocaleString('en')} characters, ${count} secret${count > 1 ? 's' : ''}`;
        lengths.push(row(`${label}, miss`, length, () => redactSecrets(text, credential)));
        lengths.push(row(`${label}, hit`, length, () => redactSecrets(leaky, credential)));
    }
}
const megabyte = textOf(1e6);
const secrets = [
    [1, 40],
    [10, 40],
    [50, 40],
    [1, 4096],
    [10, 4096],
].map(([count = 0, length = 0]) => {
    const given = { ...fieldsOf(count, length).fields };
    return row(`${count} new secret${count > 1 ? 's' : ''} of ${length} characters, 1 MB`, count, () => redactSecrets(megabyte, new StaticCredential(given)));
});
console.log(JSON.stringify({ budgets, news, lengths, secrets }));
//# sourceMappingURL=redaction.js.map