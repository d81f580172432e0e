// A zod schema of what parseHeaders checks of a record of OAuth headers, with parts of its own where zod has none.
import { z } from 'zod';
const text = z.string().refine((value) => !/[\ud800-\udfff]/u.test(value));
const number = z.number().refine((value) => !Number.isInteger(value) || Number.isSafeInteger(value));
const json = z.lazy(() => z.union([text, number, z.boolean(), z.null(), z.array(json), z.record(text, json)]));
function countKeys(value) {
    if (typeof value !== 'object' || value === null)
        return 0;
    const parts = Object.values(value);
    const own = Array.isArray(value) ? 0 : parts.length;
    return parts.reduce((sum, part) => sum + countKeys(part), own);
}
/** JSON without a key that appears twice. */
function parseUnique(value, context) {
    try {
        const parsed = JSON.parse(value);
        const written = value.match(/"(?:[^"\\]|\\.)*"\s*:/g) ?? [];
        if (countKeys(parsed) === written.length)
            return parsed;
    }
    catch {
        // As below.
    }
    context.addIssue({ code: 'custom', message: 'is not valid JSON' });
    return z.NEVER;
}
/** By names in lower case, none of which is there in two spellings. */
function foldNames(headers) {
    const found = {};
    for (const [name, value] of Object.entries(headers)) {
        const key = name.toLowerCase();
        if (!key.startsWith('x-mcp-cred-'))
            continue;
        if (key in found)
            throw new Error('Two spellings.');
        found[key] = value;
    }
    return found;
}
export const schema = z.preprocess(foldNames, z
    .object({
    'x-mcp-cred-access-token': z.string().regex(/^[\x21-\x2b\x2d-\x7e]+$/),
    'x-mcp-cred-scopes': z
        .string()
        .regex(/^[^,"]*$/)
        .transform((value) => value.split(/\s+/))
        .pipe(z.array(z.string().regex(/^[\x21-\x7e]+$/)).readonly())
        .optional(),
    'x-mcp-cred-extra': z
        .string()
        .regex(/^[\t\x20-\x7e]*$/)
        .transform(parseUnique)
        .pipe(z.record(text, json).readonly())
        .optional(),
    'x-mcp-cred-expires-at': z.iso
        .datetime({ offset: true, local: true })
        .transform((value) => new Date(value))
        .optional(),
})
    .readonly());
//# sourceMappingURL=schema.js.map