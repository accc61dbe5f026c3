//! The HTTP client as the ACME library wants one.
//!
//! In: its requests. Out: answers with their whole bodies. Fails as the client does.

use std::pin::Pin;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use restante_http::{Client, Request};

pub(crate) struct Adapter(pub(crate) Client);

type Answer = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Adapter {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answer {
        let client = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(never) => match never {},
            };
            let answer = client.send(Request::from_parts(parts, body.to_vec())).await;
            let (parts, body) = answer.map_err(|error| Error::Other(Box::new(error)))?.into_parts();
            Ok(BytesResponse { parts, body: Box::new(Bytes::from(body)) })
        })
    }
}
