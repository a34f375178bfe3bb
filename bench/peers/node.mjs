// The ways in which Node takes uploads: node node.mjs WAY FOLDER
// Each listens on a port that it says, and stores below FOLDER/files. Forms go to POST /upload, their file's field is `file`.
import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync } from "node:fs";
import { readFile, rename, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { pipeline } from "node:stream/promises";

import { FileStore } from "@tus/file-store";
import { Server as TusServer } from "@tus/server";
import busboy from "busboy";
import express from "express";
import multer from "multer";

const [way, folder] = process.argv.slice(2);
const files = path.join(folder, "files");
const temporary = path.join(folder, "temporary");
for (const each of [files, temporary])
    mkdirSync(each, { recursive: true });

const stored = (name) => path.join(files, `${randomUUID()}-${path.basename(name)}`);

function withMulter(options, keep) {
    const app = express();
    app.post("/upload", multer(options).single("file"), async (request, response) => {
        await keep(request.file);
        response.status(201).json({ size: request.file.size });
    });
    app.use((error, request, response, next) => response.status(500).json({ error: error.code ?? error.message }));
    return createServer(app);
}

// What is stored only counts under its name when all of it is there.
async function storeStream(stream, name) {
    const staged = path.join(temporary, randomUUID());
    try {
        await pipeline(stream, createWriteStream(staged));
        await rename(staged, stored(name));
    } catch (error) {
        await unlink(staged).catch(() => {});
        throw error;
    }
}

const ways = {
    // The form's file becomes a temporary one, which is read back whole and handed on, as to a cloud's client library.
    "multer-whole": () => withMulter({ dest: temporary }, async (file) => {
        await writeFile(stored(file.originalname), await readFile(file.path));
        await unlink(file.path);
    }),

    // The temporary file is streamed.
    "multer-stream": () => withMulter({ dest: temporary }, async (file) => {
        await pipeline(createReadStream(file.path), createWriteStream(stored(file.originalname)));
        await unlink(file.path);
    }),

    "multer-memory": () => withMulter({ storage: multer.memoryStorage() },
        (file) => writeFile(stored(file.originalname), file.buffer)),

    // The form's file is streamed as it comes.
    busboy: () => createServer(async (request, response) => {
        const parser = busboy({ headers: request.headers });
        const kept = [];
        parser.on("file", (name, stream, info) => kept.push(storeStream(stream, info.filename)));
        try {
            await pipeline(request, parser);
            await Promise.all(kept);
            response.writeHead(201).end("{}");
        } catch {
            await Promise.allSettled(kept);
            response.destroy();
        }
    }),

    tus: () => {
        const tus = new TusServer({ path: "/files", datastore: new FileStore({ directory: files }) });
        return createServer((request, response) => tus.handle(request, response));
    },
};

if (!Object.hasOwn(ways, way)) {
    console.error(`node.mjs: ${way} is none of ${Object.keys(ways).join(", ")}`);
    process.exit(2);
}
const server = ways[way]();
server.requestTimeout = 0; // slow clients may be slow
server.headersTimeout = 0;
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () =>
    console.log(`ready http://127.0.0.1:${server.address().port}`));
process.on("SIGTERM", () => process.exit(0));
