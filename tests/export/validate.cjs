// Prints the Khronos validator's issues for the GLB named on the command line, as JSON.
const fs = require("fs");
const { createRequire } = require("module");
const validator = createRequire(process.argv[2] + "/")("gltf-validator");
const bytes = new Uint8Array(fs.readFileSync(process.argv[3]));
validator.validateBytes(bytes).then((report) => console.log(JSON.stringify(report.issues)));
