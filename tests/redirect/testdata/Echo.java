// Sends back the bodies of requests. It asks for what is available now and then.
import com.sun.net.httpserver.HttpServer;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

public class Echo {
    public static void main(String[] args) throws Exception {
        var local = InetAddress.getByName("127.0.0.1");
        var server = HttpServer.create(new InetSocketAddress(local, Integer.parseInt(args[0])), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> {
            long n = Long.parseLong(exchange.getRequestHeaders().getFirst("Content-Length"));
            exchange.sendResponseHeaders(200, n == 0 ? -1 : n);
            try (InputStream in = exchange.getRequestBody(); OutputStream out = exchange.getResponseBody()) {
                byte[] b = new byte[1 << 16];
                for (int got; (got = in.read(b, 0, Math.max(1, Math.min(b.length, in.available())))) > 0; ) {
                    out.write(b, 0, got);
                }
            }
        });
        server.start();
    }
}
