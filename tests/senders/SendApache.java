import java.io.File;
import java.nio.charset.StandardCharsets;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.entity.ContentType;
import org.apache.http.entity.mime.HttpMultipartMode;
import org.apache.http.entity.mime.MultipartEntityBuilder;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.util.EntityUtils;
import org.apache.http.util.VersionInfo;

/** Forms by Apache's HttpClient 4: SendApache URL WORDS (the words are those of tests/senders/senders.py). In the mode
 *  in which it writes UTF-8 in names; without it, it writes question marks. */
public final class SendApache {
    private static final ContentType TEXT = ContentType.create("text/plain", StandardCharsets.UTF_8);

    private static MultipartEntityBuilder add(MultipartEntityBuilder form, String[] words, int at) {
        if (words[at].equals("field"))
            return form.addTextBody(words[at + 1], words[at + 2], TEXT);
        File file = new File(words[at + 2]);
        if (words[at + 3].isEmpty())
            return form.addBinaryBody(words[at + 1], file);
        return form.addBinaryBody(words[at + 1], file, ContentType.parse(words[at + 3]), file.getName());
    }

    public static void main(String[] words) throws Exception {
        System.out.println("apache " + VersionInfo.loadVersionInfo("org.apache.http.client", null).getRelease());
        try (CloseableHttpClient client = HttpClients.createDefault()) {
            for (int at = 1; at < words.length; ) {
                String name = words[at + 1];
                MultipartEntityBuilder form = MultipartEntityBuilder.create().setMode(HttpMultipartMode.RFC6532);
                for (at += 2; at < words.length && !words[at].equals("form"); at += words[at].equals("field") ? 3 : 4)
                    add(form, words, at);
                HttpPost request = new HttpPost(words[0]);
                request.setEntity(form.build());
                try (CloseableHttpResponse answer = client.execute(request)) {
                    String text = EntityUtils.toString(answer.getEntity(), StandardCharsets.UTF_8);
                    System.out.println(name + " " + answer.getStatusLine().getStatusCode() + " " + text.strip().replace('\n', ' '));
                }
            }
        }
    }
}
