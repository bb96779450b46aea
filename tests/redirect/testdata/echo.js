// Sends back the bodies of requests, from an event loop.
require("http").createServer((req, res) => {
  res.writeHead(200, { "Content-Length": req.headers["content-length"] });
  req.pipe(res);
}).listen(Number(process.argv[2]), "127.0.0.1");
