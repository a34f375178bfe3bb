import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.URI;
import java.net.URLConnection;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;

/** Forms by java.net.http: Send URL WORDS (the words are those of tests/senders/senders.py). It has no forms, so that
 *  everybody writes these lines, mostly like this: names as they are, text in front of each body, a stream of all. */
public final class Send {
    private final String boundary = UUID.randomUUID().toString();
    private final List<InputStream> pieces = new ArrayList<>();

    private void text(String text) {
        pieces.add(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    }

    private void field(String name, String value) {
        text("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n");
    }

    private void file(String name, Path path, String declared) throws IOException {
        String type = declared.isEmpty() ? URLConnection.guessContentTypeFromName(path.toString()) : declared;
        text("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\""
                + path.getFileName() + "\"\r\nContent-Type: " + (type == null ? "application/octet-stream" : type) + "\r\n\r\n");
        pieces.add(Files.newInputStream(path));
        text("\r\n");
    }

    private HttpResponse<String> post(HttpClient client, URI url) throws IOException, InterruptedException {
        text("--" + boundary + "--\r\n");
        HttpRequest request = HttpRequest.newBuilder(url)
                .header("Content-Type", "multipart/form-data; boundary=" + boundary)
                .POST(HttpRequest.BodyPublishers.ofInputStream(() -> new SequenceInputStream(Collections.enumeration(pieces))))
                .build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }

    public static void main(String[] words) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        System.out.println("java " + Runtime.version().feature());
        for (int at = 1; at < words.length; ) {
            String name = words[at + 1];
            Send form = new Send();
            for (at += 2; at < words.length && !words[at].equals("form"); at += words[at].equals("field") ? 3 : 4) {
                if (words[at].equals("field"))
                    form.field(words[at + 1], words[at + 2]);
                else
                    form.file(words[at + 1], Path.of(words[at + 2]), words[at + 3]);
            }
            HttpResponse<String> answer = form.post(client, URI.create(words[0]));
            System.out.println(name + " " + answer.statusCode() + " " + answer.body().strip().replace('\n', ' '));
        }
    }
}
