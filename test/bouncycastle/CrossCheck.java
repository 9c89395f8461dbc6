import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AuthorityKeyIdentifier;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectAltPublicKeyInfo;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

/**
 * A second opinion on the alternative-signature extensions.
 *
 * <p>{@code java -cp <jars> CrossCheck.java DIR}: verifies {@code DIR/NAME.der} under {@code DIR/NAME.issuer.der} for
 * every such pair and prints {@code NAME primary=BOOL alternative=BOOL}; then writes a root and a leaf of its own to
 * {@code DIR/bc-root.crt} and {@code DIR/bc-leaf.crt}.
 */
public final class CrossCheck {
  private static final String BC = "BC";
  private static final String TRUST_DOMAIN = "spiffe://mesh.example";

  public static void main(String[] args) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    Path dir = Path.of(args[0]);
    try (var names = Files.newDirectoryStream(dir, "*.issuer.der")) {
      for (Path issuer : names) {
        String name = issuer.getFileName().toString().replace(".issuer.der", "");
        verify(name, read(dir.resolve(name + ".der")), read(issuer));
      }
    }
    issue(dir);
  }

  private static void verify(String name, X509CertificateHolder certificate, X509CertificateHolder issuer)
      throws Exception {
    SubjectAltPublicKeyInfo second = SubjectAltPublicKeyInfo.fromExtensions(issuer.getExtensions());
    SubjectPublicKeyInfo secondKey = SubjectPublicKeyInfo.getInstance(second.toASN1Primitive());
    boolean primary = certificate.isSignatureValid(verifier(issuer.getSubjectPublicKeyInfo()));
    boolean alternative = certificate.isAlternativeSignatureValid(verifier(secondKey));
    System.out.println(name + " primary=" + primary + " alternative=" + alternative);
  }

  private static ContentVerifierProvider verifier(SubjectPublicKeyInfo key) throws Exception {
    PublicKey publicKey = BouncyCastleProvider.getPublicKey(key);
    return new JcaContentVerifierProviderBuilder().setProvider(BC).build(publicKey);
  }

  private static void issue(Path dir) throws Exception {
    KeyPair rootKey = mlDsaKey();
    KeyPair secondKey = ecKey();
    KeyPair leafKey = mlDsaKey();
    X500Name rootName = new X500Name("O=Bouncy Castle,CN=root");
    X500Name empty = new X500Name("");
    ContentSigner primary = new JcaContentSignerBuilder("ML-DSA-65").setProvider(BC).build(rootKey.getPrivate());
    ContentSigner alternative = new JcaContentSignerBuilder("SHA256withECDSA").setProvider(BC).build(secondKey.getPrivate());

    X509v3CertificateBuilder root = builder(rootName, rootName, rootKey.getPublic(), 1);
    root.addExtension(Extension.basicConstraints, true, new BasicConstraints(true));
    root.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
    root.addExtension(Extension.subjectKeyIdentifier, false, new SubjectKeyIdentifier(new byte[] {1, 2, 3}));
    root.addExtension(Extension.subjectAlternativeName, false, uri(TRUST_DOMAIN));
    root.addExtension(Extension.subjectAltPublicKeyInfo, false, SubjectPublicKeyInfo.getInstance(secondKey.getPublic().getEncoded()));
    Files.write(dir.resolve("bc-root.crt"), root.build(primary, false, alternative).getEncoded());

    X509v3CertificateBuilder leaf = builder(rootName, empty, leafKey.getPublic(), 2);
    leaf.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
    leaf.addExtension(Extension.authorityKeyIdentifier, false, new AuthorityKeyIdentifier(new byte[] {1, 2, 3}));
    leaf.addExtension(Extension.subjectAlternativeName, true, uri(TRUST_DOMAIN + "/ns/a/sa/b"));
    Files.write(dir.resolve("bc-leaf.crt"), leaf.build(primary, false, alternative).getEncoded());
  }

  private static X509v3CertificateBuilder builder(X500Name issuer, X500Name subject, PublicKey key, int serial) {
    long now = System.currentTimeMillis();
    Date from = new Date(now - 60_000);
    Date to = new Date(now + 3_600_000);
    return new JcaX509v3CertificateBuilder(issuer, BigInteger.valueOf(serial), from, to, subject, key);
  }

  private static GeneralNames uri(String uri) {
    return new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, uri));
  }

  private static KeyPair mlDsaKey() throws Exception {
    return KeyPairGenerator.getInstance("ML-DSA-65", BC).generateKeyPair();
  }

  private static KeyPair ecKey() throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", BC);
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static X509CertificateHolder read(Path path) throws Exception {
    return new X509CertificateHolder(Files.readAllBytes(path));
  }
}
